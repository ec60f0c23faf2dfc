"""Collectives that keep gradients right: N ranks equal one process in loss and gradient.

DDP averages gradients over ranks. A loss that is a mean over this rank's rows therefore has the right gradient as it
is; what was gathered must send its gradient back to the rank that made it, summed over all ranks.
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
        x = x.contiguous()  # images come channels_last, and all parts must have the layout of what is sent
        parts = [torch.empty_like(x) for _ in range(world_size())]
        dist.all_gather(parts, x)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        wide = torch.promote_types(gradient.dtype, torch.float32)  # a sum over many ranks in bf16 would be coarse
        total = gradient.to(wide, memory_format=torch.contiguous_format, copy=True)  # others may hold what comes
        dist.all_reduce(total)
        return own(total, ctx.rows).to(gradient.dtype)


def gather(x: Tensor) -> Tensor:
    """Rows of all ranks in rank order, (B, …) -> (W*B, …); every rank must hand in the same shape.

    The gradient of a row is the sum of what all ranks' losses send to it.
    """
    return x if world_size() == 1 else _Gather.apply(x)


def own(of_all: Tensor, rows: int) -> Tensor:
    """This rank's `rows` of what was gathered, or drawn, for all ranks: (W*B, …) -> (B, …)."""
    return of_all[rank() * rows : (rank() + 1) * rows]


def largest(number: int, *, device: torch.device) -> int:
    """The largest of the numbers that the ranks hand in."""
    return int(gather(torch.tensor([number], device=device)).max())


def share_names(names: list[str]) -> None:
    """Add what other ranks have in their lists."""
    known = set(names)
    of_all = dict.fromkeys(name for names_of_one in gather_objects(names) for name in names_of_one)
    names += [name for name in of_all if name not in known]


def gather_objects(mine: Any) -> list[Any]:
    """What every rank hands in, in rank order; it is pickled."""
    if world_size() == 1:
        return [mine]
    found: list[Any] = [None] * world_size()
    dist.all_gather_object(found, mine)
    return found
