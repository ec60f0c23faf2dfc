"""`trainer.strategy=fsdp`: shard weights, gradients and optimizer state over all ranks (FSDP2, arXiv:2304.11277)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import torch
from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.optim import Optimizer

from sslrun.config.errors import ConfigError

WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)


class Sharded(ModelParallelStrategy):
    """FSDP2 over all ranks; a checkpoint is one file in the format of the other strategies, written by rank 0.

    Lightning numbers the optimizer's parameters in the module's order. Here they have the optimizer's order, whose
    groups separate weights from biases, so that a run may switch between this strategy and others.
    """

    def __init__(self, *, world: int, timeout: timedelta) -> None:
        super().__init__(
            data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False, timeout=timeout
        )

    def optimizer_state(self, optimizer: Optimizer) -> dict[str, Any]:
        """`optimizer.state_dict()` of unsharded parameters, on rank 0; all ranks must call it."""
        assert self.model is not None
        named: dict[str, Any] = get_optimizer_state_dict(
            self.model, getattr(optimizer, "_optimizer", optimizer), options=WHOLE
        )
        if self.global_rank > 0:
            return {}
        names = [name for group in named["param_groups"] for name in group["params"]]
        number = {name: i for i, name in enumerate(names)}
        groups = [{**group, "params": [number[name] for name in group["params"]]} for group in named["param_groups"]]
        return {"state": {number[name]: state for name, state in named["state"].items()}, "param_groups": groups}

    def load_checkpoint(self, checkpoint_path: Any, weights_only: bool | None = None) -> dict[str, Any]:
        """Read the file on every rank and keep this rank's shards."""
        assert self.model is not None
        checkpoint = torch.load(checkpoint_path, mmap=True, map_location="cpu", weights_only=weights_only)
        set_model_state_dict(self.model, checkpoint["state_dict"], options=WHOLE)
        name_of = {parameter: name for name, parameter in self.model.named_parameters()}
        for optimizer, numbered in zip(self.optimizers, checkpoint["optimizer_states"], strict=True):
            names = [name_of[parameter] for group in optimizer.param_groups for parameter in group["params"]]
            groups = [{**group, "params": [names[i] for i in group["params"]]} for group in numbered["param_groups"]]
            named: Any = {"state": {names[i]: state for i, state in numbered["state"].items()}, "param_groups": groups}
            set_optimizer_state_dict(self.model, optimizer, named, options=WHOLE)
        return checkpoint


def check_can_be_sharded(method: nn.Module) -> None:
    """Raise ConfigError if a parameter is a scalar: FSDP2 shards along the first dimension."""
    scalars = [name for name, parameter in method.named_parameters() if parameter.dim() == 0]
    if scalars:
        raise ConfigError(
            f"trainer.strategy=fsdp cannot shard {type(method).__name__}'s {', '.join(scalars)}, a scalar; choose "
            "trainer.strategy=ddp"
        )


def shard(method: nn.Module, mesh: DeviceMesh) -> None:
    """Shard a method's parameters over the ranks of `mesh`, in place: each transformer block, and the rest together.

    The rest (heads, patch embedding, norms) is unsharded during the method's forward, so that a method may call any
    function of its encoders; a block is unsharded during its own forward.
    """
    for block in transformer_blocks(method):
        fully_shard(block, mesh=mesh)
    fully_shard(method, mesh=mesh)


def transformer_blocks(method: nn.Module) -> Iterator[nn.Module]:
    """Members with attention of every list of modules of one type, as in timm and transformers."""
    for module in method.modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and len({type(child) for child in module}) == 1:
            yield from (child for child in module if _attends(child))


def _attends(block: nn.Module) -> bool:
    return any("attention" in type(module).__name__.lower() for module in block.modules())
