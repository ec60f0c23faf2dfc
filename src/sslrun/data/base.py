"""What every dataset gives, whatever its modality."""

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
from sslrun.data.order import Together

Key = tuple[int, int]
"""(epoch, position): what the sampler hands to a dataset, so that randomness can follow the epoch in any worker."""


class Items(Dataset[dict[str, Any]]):
    """Items of one split, read by `Key`.

    Attributes:
        are_of_split: whether item i is that of position i in the split; not so where items are cut out of a stream.
        characters: of a text whose likelihood the summed losses of all items are; None where they are none.
        together: which items lie together on disk, so that training reads in few places at a time; None: anywhere.
    """

    are_of_split: bool = True
    characters: int | None = None
    together: Together | None = None

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
        fingerprint: hex digest of the content, for run.json.
        corrupt: names of the unreadable items met so far; they are left out.
        single: batch type of items as they are, which evaluation and fine-tuning read.
        raw: the baseline that learns nothing of this modality, a module of sslrun.evaluation.raw.
        mild: the augmentation that fine-tuning takes where none is named.
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
        """Augmented training items, read by `Key`; randomness is a function of (seed, epoch, position, view) alone."""

    @abstractmethod
    def evaluation(self, split: str) -> Items:
        """Items of a split as they are, read by `Key`; the epoch is ignored."""

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        """All of the validation split in the form of training, for the method's own loss; randomness is a function of
        the position alone. None where such a loss says nothing of an item."""
        return None

    def save_inputs(self, folder: Path) -> None:  # noqa: B027 - most need nothing
        """Write what an encoder's user needs beside its weights to make its inputs, such as a tokenizer."""

    @abstractmethod
    def labels(self, split: str) -> np.ndarray | None:
        """(N,) int64 labels of a split in the order of its items; None where there are none."""

    def transcripts(self, split: str) -> list[str] | None:
        """What is said in each item of a split; None where nothing tells it. Then items have `transcript`."""
        return None

    @property
    def alphabet(self) -> tuple[str, ...]:
        """Characters of all transcripts, in the order of the positions in `transcript`."""
        return ()

    def groups(self, split: str) -> np.ndarray | None:
        """(N,) names of what leave-one-group-out probes hold out, such as speakers; None where nothing tells them."""
        return None

    @abstractmethod
    def size(self, split: str) -> int:
        """Items of a split; 0 where it is absent."""

    def cut_digest(self) -> str:
        """Hex digest of which items each split has; equal for the same content only where its splits are the same."""
        return ""

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
        """What a backbone must know to be built, an encoder's config.json must tell and a method may ask: `reads`, the
        key of a batch, `image` where it is absent; `classes`, their number or None; for images `channels`,
        `image_size`, `mean`, `std`; for text `vocab_size`, `max_length`, `pad`. `image_size` is
        one number, or height and width."""

    @classmethod
    def foreseen_inputs(
        cls, config: Any, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        """`encoder_inputs` before anything is read, with stand-ins for what is counted or measured.

        Returns:
            None where the configuration does not tell an item's shape.

        Raises:
            ConfigError: the policy does not fit such items.
        """
        return None

    def describe(self) -> dict[str, str]:
        """Lines for the resolved block; a modality adds its own, such as what was left out of the policy."""
        sizes = ", ".join(f"{self.size(s):,} {s}" for s in SPLITS)
        return {"dataset": f"{self.name}: {sizes}; {self.known}"}

    @property
    def known(self) -> str:
        """What is known of the items, in words."""
        return f"{len(self.classes)} classes" if self.classes else "no labels"


def check_labelled(data: Data) -> None:
    """Raise DataError where a split that has items has no labels, in a dataset whose training items have some."""
    bare = next((split for split in SPLITS if data.size(split) and data.labels(split) is None), None)
    if bare is not None:
        raise DataError(
            f"dataset={data.name}: train has labels, the {bare} split has none, or hides them; label it, or leave it "
            "away, and a part of train is cut off for it"
        )


def to_device(batch: dict[str, Any], device: torch.device | str) -> dict[str, Any]:
    """Move every tensor of a batch, also those in lists."""

    def move(value: Any) -> Any:
        if isinstance(value, Tensor):
            return value.to(device, non_blocking=True)
        return [move(v) for v in value] if isinstance(value, list) else value

    return {key: move(value) for key, value in batch.items()}
