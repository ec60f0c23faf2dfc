"""One pass of a module over a dataset: eval mode, no gradients, the precision of the run."""

from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import nn

from sslrun.config.trainer import Precision
from sslrun.data.base import Data, Items, to_device
from sslrun.data.loader import evaluation_loader
from sslrun.training.precision import autocast_dtype

Batch = dict[str, Any]
T = TypeVar("T")
FEW = 1024
"""Items that are read before workers would have started."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Batches of a dataset, and the device and precision that modules read them with.

    Attributes:
        loader: dicts of tensors, with `label` (B,) and `index` (B,) if there are any.
        prepare: loaded batch on the device -> what modules read, such as normalised floats.
        autocast: None for float32.
    """

    loader: Iterable[Batch]
    prepare: Callable[[Batch], Batch]
    device: torch.device | str
    autocast: torch.dtype | None

    def through(self, module: nn.Module, function: Callable[[Batch], T]) -> Generator[tuple[Batch, T], None, None]:
        """Each batch as loaded, and `function` of it prepared, with `module` (on `device`) in eval mode."""
        kind = torch.device(self.device).type
        with evaluating(module):
            for batch in self.loader:
                batch = to_device(batch, self.device)
                # the loader stays outside: what its dataset caches must not become inference tensors
                with torch.inference_mode(), torch.autocast(kind, self.autocast, enabled=self.autocast is not None):
                    output = function(self.prepare(batch))
                yield batch, output


def batches_of(
    data: Data,
    items: Items,
    *,
    device: torch.device | str,
    precision: Precision,
    batch_size: int,
    positions: Sequence[int] | None = None,
    workers: int = 0,
) -> Batches:
    """Batches of some items of a dataset, in the order of `positions` (None: all); few of them need no workers."""
    count = len(items) if positions is None else len(positions)
    workers = workers if count > FEW else 0
    return Batches(
        loader=evaluation_loader(data, items, positions=positions, batch_size=batch_size, workers=workers),
        prepare=data.prepare().to(device),
        device=device,
        autocast=autocast_dtype(precision),
    )


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards each part's own flag, for parts may be frozen in eval mode while the rest trains."""
    flags = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in flags.items():
            part.training = training
