"""Frozen features: every item through the encoder once."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sslrun.backbones.base import encode
from sslrun.config.errors import DataError, TrainingError
from sslrun.evaluation.batches import Batches


class Labelled(NamedTuple):
    """Items whose classes are known: (N, D) float32 and (N,) int64."""

    features: Tensor
    labels: Tensor

    def to(self, device: str) -> "Labelled":
        """Both on another device."""
        return Labelled(self.features.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Features:
    """A dataset's features by one encoder, on the CPU.

    Attributes:
        features: (N, D) float32.
        labels: (N,) int64 classes; None if the dataset has none.
        index: (N,) int64 positions in the dataset; 0 to N - 1 if the batches do not say.
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


def extract(encoder: nn.Module, batches: Batches) -> Features:
    """Features of every item; the training flags of the encoder's parts are put back.

    Args:
        encoder: has `reads`, the key of its input in a prepared batch; gives (B, D).

    Raises:
        TrainingError: features that are not finite.
    """
    features, labels, indices = [], [], []
    for batch, z in batches.through(encoder, lambda prepared: encode(encoder, prepared)):
        features.append(z.float().cpu())  # (B, D)
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
