"""Items and batches of image datasets."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sslrun.config.errors import DataError
from sslrun.data.base import Items, Key
from sslrun.data.batches import index_and_label
from sslrun.data.splits import Part
from sslrun.data.vision.augment import Policy
from sslrun.data.vision.cache import Store
from sslrun.data.vision.resize import fit


@dataclass(kw_only=True)
class Split:
    """The images of one split, by position in it.

    Attributes:
        report: called with a source and {position: reason} of its unreadable images; None in workers, which report
            through batches.
    """

    report: Callable[[str, dict[int, str]], None] | None
    part: Part
    store: Store
    labels: np.ndarray | None

    def __len__(self) -> int:
        return len(self.part)

    def read(self, position: int) -> np.ndarray:
        """(H, W, C) uint8; DataError if it cannot be read."""
        return self.store.read(int(self.part.positions[position]))

    def facts(self, position: int) -> dict[str, int]:
        """The item's `index` and, if labelled, `label`."""
        known = {} if self.labels is None else {"label": int(self.labels[position])}
        return {"index": position, **known}

    def note_corrupt(self, positions: list[int]) -> None:
        """Report positions to the dataset, with the reasons from a second attempt."""
        assert self.report is not None, "workers report through their batches"
        reasons = {}
        for position in positions:
            try:
                self.read(position)
            except DataError as error:
                reasons[int(self.part.positions[position])] = str(error)
        self.report(self.part.source, reasons)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"report": None}


class TrainingImages(Items):
    """Augmented items: `views`, V arrays (h, w, C) uint8, or `image`, the first of them.

    An unreadable image is replaced by the next readable one, with the same augmentation, and reported in `corrupt`.
    """

    def __init__(self, split: Split, *, policy: Policy, seed: int, first_only: bool) -> None:
        self.split, self.policy, self.seed = split, policy, seed
        self._first_only = first_only

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, requested = key
        position, image, corrupt = self._readable(requested)
        randomness = {"seed": self.seed, "epoch": epoch, "index": requested}
        item: dict[str, Any] = self.split.facts(position)
        if self._first_only:
            item["image"] = self.policy.view(image, 0, **randomness)
        else:
            item["views"] = self.policy.views(image, **randomness)
        return item | ({"corrupt": corrupt} if corrupt else {})

    def note_corrupt(self, positions: list[int]) -> None:
        self.split.note_corrupt(positions)

    def _readable(self, requested: int) -> tuple[int, np.ndarray, list[int]]:
        corrupt: list[int] = []
        while True:
            position = (requested + len(corrupt)) % len(self)
            try:
                return position, self.split.read(position), corrupt
            except DataError:
                corrupt.append(position)
                if len(corrupt) == len(self):
                    raise


class PlainImages(Items):
    """Unaugmented items: `image`, the centre crop (side, side, C) uint8; if unreadable, only `corrupt`."""

    def __init__(self, split: Split, *, side: int) -> None:
        self.split, self._side = split, side

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        _, position = key
        try:
            image = self.split.read(position)
        except DataError:
            return {"corrupt": [position]}
        return {"image": fit(image, side=self._side), **self.split.facts(position)}

    def note_corrupt(self, positions: list[int]) -> None:
        self.split.note_corrupt(positions)


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """uint8 `views` or `image` (B, C, H, W) in channels-last format, with `index` and, if labelled, `label`.

    `corrupt` lists unreadable positions; it is the only key if no image of the batch could be read.
    """
    corrupt = [position for item in items for position in item.get("corrupt", ())]
    batch: dict[str, Any] = {"corrupt": corrupt} if corrupt else {}
    readable = [item for item in items if "index" in item]
    if not readable:
        return batch
    if "views" in readable[0]:
        batch["views"] = [_stack(list(views)) for views in zip(*(i["views"] for i in readable), strict=True)]
    else:
        batch["image"] = _stack([i["image"] for i in readable])
    return batch | index_and_label(readable)


def _stack(images: list[np.ndarray]) -> Tensor:
    """B arrays (H, W, C) as one channels-last tensor (B, C, H, W), without a further copy."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
