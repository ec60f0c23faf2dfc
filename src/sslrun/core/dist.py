"""Collectives with correct gradients: N ranks equal one process in loss and gradient.

DDP averages gradients over ranks, so a loss that is a mean over this rank's rows has the right gradient. For gathered
rows, the gradient is summed over all ranks and returned to the rank that they came from.
"""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def world_size() -> int:
    """Ranks of the process group; 1 if there is none."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Rank in the process group; 0 if there is none."""
    return dist.get_rank() if dist.is_available() and dist.is_initialized() else 0


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.rows = len(x)
        x = x.contiguous()  # may be channels_last; all_gather needs one memory layout
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        wide = torch.promote_types(gradient.dtype, torch.float32)  # bf16 is too coarse for a sum over many ranks
        total = gradient.to(wide, memory_format=torch.contiguous_format, copy=True)  # all_reduce works in place
        dist.all_reduce(total)
        return local_rows(total, ctx.rows).to(gradient.dtype)


def gather(x: Tensor) -> Tensor:
    """Rows of all ranks in rank order, (B, …) -> (W*B, …); the shape must be the same on all ranks.

    The gradient of a row is the sum over the losses of all ranks.
    """
    return x if world_size() == 1 else _Gather.apply(x)


def local_rows(x: Tensor, rows: int) -> Tensor:
    """This rank's `rows` of a tensor for all ranks: (W*B, …) -> (B, …)."""
    return x[rank() * rows : (rank() + 1) * rows]


def max_over_ranks(number: int, *, device: torch.device) -> int:
    """Maximum of `number` over all ranks."""
    return int(gather(torch.tensor([number], device=device)).max())


def merge_names(names: list[str]) -> None:
    """Append the names in other ranks' lists, in place."""
    known = set(names)
    of_all = dict.fromkeys(name for names_of_one in gather_objects(names) for name in names_of_one)
    names += [name for name in of_all if name not in known]


def gather_objects(local: Any) -> list[Any]:
    """Objects of all ranks in rank order; they must be picklable."""
    if world_size() == 1:
        return [local]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, local)
    return found
