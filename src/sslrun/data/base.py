"""The interface of every dataset, whatever its modality."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from sslrun.config.dataset.splits import SPLITS
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.order import DiskGroups

Key = tuple[int, int]
"""(epoch, position), as the sampler yields it: randomness can then depend on the epoch in any worker."""


class Items(Dataset[dict[str, Any]]):
    """Items of one split, read by `Key`.

    Attributes:
        aligned_with_split: whether item i is item i of the split; False for windows and blocks cut out of it.
        characters: number of characters whose negative log-likelihood the losses sum to; None if they do not.
        disk_groups: which items are adjacent on disk, so that training reads few files at a time; None: no locality.
    """

    aligned_with_split: bool = True
    characters: int | None = None
    disk_groups: DiskGroups | None = None

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __getitem__(self, key: Key) -> dict[str, Any]:
        """One item; `corrupt` lists positions that could not be read, and may be its only key."""

    def note_corrupt(self, positions: list[int]) -> None:
        """Called in the main process with the positions workers could not read; DataError if there are too many."""


class Data(ABC):
    """A dataset with its splits; built once per process, before training.

    Attributes:
        name: used in tables and folder names.
        classes: names of the classes, or None without labels.
        fingerprint: hex digest of the content, for run.json.
        corrupt: names of the unreadable items found so far; they are skipped.
        single: batch type of unaugmented items, which evaluation and fine-tuning read.
        raw: this modality's baseline without learning, a module of sslrun.evaluation.raw.
        mild: the default augmentation for fine-tuning.
    """

    name: str
    classes: tuple[str, ...] | None
    single: type
    raw: str
    mild: str = "none"
    fingerprint: str
    corrupt: list[str]

    @abstractmethod
    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """Augmented training items; randomness depends on (seed, epoch, position, view) only."""

    @abstractmethod
    def evaluation(self, split: str) -> Items:
        """Unaugmented items of a split; the epoch is ignored."""

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        """The whole validation split in the format of training, for the method's own loss; randomness depends on the
        position only. None if that loss is not defined per item."""
        return None

    def save_inputs(self, folder: Path) -> None:  # noqa: B027 - most have nothing to write
        """Write what is needed besides the weights to prepare an encoder's inputs, such as a tokenizer."""

    @abstractmethod
    def labels(self, split: str) -> np.ndarray | None:
        """(N,) int64 labels of a split in the order of its items, or None."""

    def transcripts(self, split: str) -> list[str] | None:
        """Transcript of each item of a split, or None; items then also have the key `transcript`."""
        return None

    @property
    def alphabet(self) -> tuple[str, ...]:
        """Characters of all transcripts; `transcript` holds indices into them."""
        return ()

    def groups(self, split: str) -> np.ndarray | None:
        """(N,) group names for leave-one-group-out probes, such as speakers, or None."""
        return None

    @abstractmethod
    def size(self, split: str) -> int:
        """Number of items of a split; 0 if it is absent."""

    def cut_digest(self) -> str:
        """Hex digest of which items each split holds; for the same content, equal only if the splits are."""
        return ""

    @abstractmethod
    def collate(self, items: list[Any]) -> dict[str, Any]:
        """A batch of items, still compact (uint8 images)."""

    @abstractmethod
    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        """A module that turns a compact batch into what methods and encoders read; runs on the device.

        Args:
            channels_last: memory format of images.
        """

    @abstractmethod
    def encoder_inputs(self) -> dict[str, Any]:
        """What a backbone is built from; also saved in an encoder's config.json and available to methods.

        `reads` is the batch key of the input (default `image`), `classes` their number or None. Images: `channels`,
        `image_size` (one number, or height and width), `mean`, `std`. Text: `vocab_size`, `max_length`, `pad`.
        """

    @classmethod
    def expected_inputs(
        cls, config: Any, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        """`encoder_inputs` from the configuration alone, with placeholders for counted or measured values.

        Returns:
            None if the configuration does not determine an item's shape.

        Raises:
            ConfigError: the augmentation cannot be applied to such items.
        """
        return None

    def describe(self) -> dict[str, str]:
        """Lines for the resolved block; modalities add their own, such as skipped transforms."""
        sizes = ", ".join(f"{self.size(s):,} {s}" for s in SPLITS)
        return {"dataset": f"{self.name}: {sizes}; {self.label_summary}"}

    @property
    def label_summary(self) -> str:
        """What labels the items have, in words."""
        return f"{len(self.classes)} classes" if self.classes else "no labels"


def check_labelled(data: Data) -> None:
    """Raise DataError if train has labels but another non-empty split has none."""
    bare = next((split for split in SPLITS if data.size(split) and data.labels(split) is None), None)
    if bare is not None:
        raise DataError(
            f"dataset={data.name}: train has labels, the {bare} split has none, or hides them; label it, or leave it "
            "away, and a part of train is cut off for it"
        )


def to_device(batch: dict[str, Any], device: torch.device | str) -> dict[str, Any]:
    """Move every tensor of a batch, including those in lists."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, non_blocking=True)
        return [move(v) for v in value] if isinstance(value, list) else value

    return {key: move(value) for key, value in batch.items()}
