"""Frozen features: every item through the encoder once."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sslrun.backbones.base import encode
from sslrun.config.errors import DataError, TrainingError
from sslrun.data.base import to_device

Batch = dict[str, Any]


class Labelled(NamedTuple):
    """Items whose classes are known: (N, D) float32 and (N,) int64."""

    features: Tensor
    labels: Tensor


@dataclass(frozen=True)
class Features:
    """What an encoder makes of a dataset, on the CPU.

    Attributes:
        features: (N, D) float32.
        labels: (N,) int64 classes; None where the dataset has none.
        index: (N,) int64 positions in the dataset; 0 to N - 1 where the batches do not say.
    """

    features: Tensor
    labels: Tensor | None
    index: Tensor

    def labelled(self, *, split: str, dataset: str) -> Labelled:
        """The same with labels; DataError if there are none, naming the split and the dataset."""
        return Labelled(self.features, labels_of(self.labels, split=split, dataset=dataset))


def labels_of(labels: Tensor | np.ndarray | None, *, split: str, dataset: str) -> Tensor:
    """(N,) int64; DataError if there are none."""
    if labels is None:
        raise DataError(f"dataset={dataset}: its {split} split has no labels, which a probe needs")
    return torch.as_tensor(labels)


def extract(
    encoder: nn.Module,
    loader: Iterable[Batch],
    prepare: Callable[[Batch], Batch],
    *,
    device: torch.device | str,
    autocast: torch.dtype | None,
) -> Features:
    """Features of every item of `loader`, by `encoder` in eval mode; its modules' training flags are put back.

    Args:
        encoder: has `reads`, the key of its input in a prepared batch; gives (B, D); lies on `device`.
        loader: dicts of tensors, with `label` (B,) and `index` (B,) where there are any.
        prepare: uint8 batch on the device -> normalised float batch.
        autocast: precision of the forward pass; None for float32.

    Raises:
        TrainingError: features that are not finite.
    """
    kind = torch.device(device).type
    features, labels, indices = [], [], []
    with evaluating(encoder):
        for batch in loader:
            batch = to_device(batch, device)
            # the loader stays outside: what its dataset caches must not become inference tensors
            with torch.inference_mode(), torch.autocast(kind, dtype=autocast, enabled=autocast is not None):
                z = encode(encoder, prepare(batch))  # (B, D)
            features.append(z.float().cpu())
            labels.extend([batch["label"].cpu()] if "label" in batch else [])
            indices.extend([batch["index"].cpu()] if "index" in batch else [])
    together = torch.cat(features)
    _check_finite(together)
    return Features(
        features=together,
        labels=torch.cat(labels) if labels else None,
        index=torch.cat(indices) if indices else torch.arange(len(together)),
    )


def _check_finite(features: Tensor) -> None:
    finite = features.isfinite()
    if not finite.all():
        share = 1 - finite.double().mean().item()
        raise TrainingError(
            f"{share:.2%} of the features are not finite; training diverged, or precision is too low for this encoder"
        )


@contextmanager
def evaluating(encoder: nn.Module) -> Iterator[None]:
    """Eval mode; afterwards each module's own flag, for parts may be frozen in eval mode while the rest trains."""
    flags = {module: module.training for module in encoder.modules()}
    encoder.eval()
    try:
        yield
    finally:
        for module, training in flags.items():
            module.training = training
