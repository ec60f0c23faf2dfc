"""`trainer.strategy=fsdp`: weights, gradients and optimizer state are cut over all ranks (FSDP2, arXiv:2304.11277)."""

from collections.abc import Iterator

from pytorch_lightning.strategies import ModelParallelStrategy
from torch import nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard


class Sharded(ModelParallelStrategy):
    """FSDP2 over all ranks; a checkpoint is one file, the same as of any other strategy, written by rank 0."""

    def __init__(self, *, world: int) -> None:
        super().__init__(data_parallel_size=world, tensor_parallel_size=1, save_distributed_checkpoint=False)


def shard(method: nn.Module, mesh: DeviceMesh) -> None:
    """Cut a method's parameters over the ranks of `mesh`, in place: block by block, and the rest in one piece.

    The rest (heads, patch embedding, norms) is whole while the method's forward lasts, so that a method may call any
    function of its encoders; a block is whole while its own forward lasts.
    """
    for block in transformer_blocks(method):
        fully_shard(block, mesh=mesh)
    fully_shard(method, mesh=mesh)


def transformer_blocks(method: nn.Module) -> Iterator[nn.Module]:
    """The members of every sequence of equal modules that hold attention, as timm and transformers build them."""
    for module in method.modules():
        if isinstance(module, nn.ModuleList | nn.Sequential) and len({type(child) for child in module}) == 1:
            yield from (child for child in module if _attends(child))


def _attends(block: nn.Module) -> bool:
    return any("attention" in type(module).__name__.lower() for module in block.modules())

