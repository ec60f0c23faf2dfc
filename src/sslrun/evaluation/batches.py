"""Inference over a dataset: eval mode, no gradients, the run's precision."""

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
MIN_ITEMS_FOR_WORKERS = 1024
"""Fewer are read before workers would have started."""


@dataclass(frozen=True, kw_only=True)
class Batches:
    """Batches of a dataset, and the device and precision to run modules with.

    Attributes:
        loader: yields dicts of tensors, optionally with `label` (B,) and `index` (B,).
        prepare: loaded batch on the device -> inputs of modules, such as normalised floats.
        autocast: None for float32.
    """

    loader: Iterable[Batch]
    prepare: Callable[[Batch], Batch]
    device: torch.device | str
    autocast: torch.dtype | None

    def run(self, module: nn.Module, function: Callable[[Batch], T]) -> Generator[tuple[Batch, T], None, None]:
        """Yield each loaded batch and `function` of the prepared batch, with `module` (on `device`) in eval mode."""
        kind = torch.device(self.device).type
        with eval_mode(module):
            for batch in self.loader:
                batch = to_device(batch, self.device)
                # outside of the loader: tensors that its dataset caches must not become inference tensors
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
    """Batches of the items at `positions`, in that order (None: all); no workers for few items."""
    count = len(items) if positions is None else len(positions)
    workers = workers if count > MIN_ITEMS_FOR_WORKERS else 0
    return Batches(
        loader=evaluation_loader(data, items, positions=positions, batch_size=batch_size, workers=workers),
        prepare=data.prepare().to(device),
        device=device,
        autocast=autocast_dtype(precision),
    )


@contextmanager
def eval_mode(module: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards each submodule gets its own flag back, since some may be frozen in eval mode."""
    flags = {submodule: submodule.training for submodule in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for submodule, training in flags.items():
            submodule.training = training
