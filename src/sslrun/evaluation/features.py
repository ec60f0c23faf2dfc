"""Frozen features of a dataset."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from sslrun.backbones.base import encode
from sslrun.config.errors import DataError, TrainingError
from sslrun.evaluation.batches import Batches


class Labelled(NamedTuple):
    """Features with labels: (N, D) float32 and (N,) int64."""

    features: Tensor
    labels: Tensor

    def to(self, device: str) -> "Labelled":
        """Both on another device."""
        return Labelled(self.features.to(device), self.labels.to(device))


@dataclass(frozen=True)
class Features:
    """Features of a dataset from one encoder, on the CPU.

    Attributes:
        features: (N, D) float32.
        labels: (N,) int64 classes; None if the dataset has none.
        index: (N,) int64 positions in the dataset; 0 to N - 1 if batches have no `index`.
    """

    features: Tensor
    labels: Tensor | None
    index: Tensor

    def labelled(self, *, split: str, dataset: str) -> Labelled:
        """Features and labels; DataError naming split and dataset if there are no labels."""
        return Labelled(self.features, labels_of(self.labels, split=split, dataset=dataset))


def labels_of(labels: Tensor | np.ndarray | None, *, split: str, dataset: str) -> Tensor:
    """(N,) int64; DataError if None."""
    if labels is None:
        raise DataError(f"dataset={dataset}: its {split} split has no labels, which a probe needs")
    return torch.as_tensor(labels)


def extract(encoder: nn.Module, batches: Batches) -> Features:
    """Features of every item, with the encoder in eval mode.

    Args:
        encoder: maps the entry `encoder.reads` of a prepared batch to (B, D).

    Raises:
        TrainingError: some features are not finite.
    """
    features, labels, indices = [], [], []
    for batch, features_of_batch in batches.run(encoder, lambda prepared: encode(encoder, prepared)):
        features.append(features_of_batch.float().cpu())  # (B, D)
        labels.extend([batch["label"].cpu()] if "label" in batch else [])
        indices.extend([batch["index"].cpu()] if "index" in batch else [])
    z = torch.cat(features)
    _check_finite(z)
    return Features(
        features=z,
        labels=torch.cat(labels) if labels else None,
        index=torch.cat(indices) if indices else torch.arange(len(z)),
    )


def _check_finite(features: Tensor) -> None:
    finite = features.isfinite()
    if not finite.all():
        share = 1 - finite.double().mean().item()
        raise TrainingError(
            f"{share:.2%} of the features are not finite; training diverged, or precision is too low for this encoder"
        )
