"""What every dataset gives, whatever its modality."""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from sslrun.config.schema import AugmentationConfig

SPLITS = ("train", "validation", "test")
Key = tuple[int, int]
"""(epoch, position): what the sampler hands to a dataset, so that randomness can follow the epoch in any worker."""


class Items(Dataset[dict[str, Any]]):
    """Items of one split, read by `Key`."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, key: Key) -> dict[str, Any]:
        """One item; `corrupt` lists positions that could not be read, and an item may hold nothing else."""

    def note_corrupt(self, positions: list[int]) -> None:
        """Called in the main process with what workers could not read; DataError where there are too many."""


class Data(ABC):
    """A dataset with its splits; built once per process, before any training.

    Attributes:
        name: for tables and folders.
        classes: names of the classes, or None where there are no labels.
        gives: batch types that `training` can give (sslrun.core.batch).
        fingerprint: hex digest of the content, for run.json.
        corrupt: names of the unreadable items met so far; they are left out.
    """

    name: str
    classes: tuple[str, ...] | None
    gives: tuple[type, ...]
    fingerprint: str
    corrupt: list[str]

    @abstractmethod
    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """Augmented training items, read by `Key`; randomness is a function of (seed, epoch, position, view) alone."""

    @abstractmethod
    def evaluation(self, split: str) -> Items:
        """Items of a split as they are, read by `Key`; the epoch is ignored."""

    @abstractmethod
    def labels(self, split: str) -> np.ndarray | None:
        """(N,) int64 labels of a split in the order of its items; None where there are none."""

    @abstractmethod
    def size(self, split: str) -> int:
        """Items of a split; 0 where it is absent."""

    @abstractmethod
    def collate(self, items: list[Any]) -> dict[str, Any]:
        """A batch of items, still in its compact form (uint8 images)."""

    @abstractmethod
    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        """A module from compact batch to the batch that a method or an encoder reads; runs on the device.

        Args:
            channels_last: memory format of images.
        """

    @abstractmethod
    def encoder_inputs(self) -> dict[str, Any]:
        """What a backbone must know to be built, an encoder's config.json must tell and a method may ask: for images
        `channels`, `image_size`, `mean`, `std`; `classes`, their number or None."""

    @abstractmethod
    def describe(self) -> dict[str, str]:
        """Lines for the resolved block: sizes, splits, what was left out of the policy."""


def to_device(batch: dict[str, Any], device: torch.device | str) -> dict[str, Any]:
    """Move every tensor of a batch, also those in lists."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, non_blocking=True)
        return [move(v) for v in value] if isinstance(value, list) else value

    return {key: move(value) for key, value in batch.items()}
