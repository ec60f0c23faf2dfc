"""A subset of a dataset's items."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.base import Items, Key


class Subset(Items):
    """The items at `positions`.

    If the dataset substitutes another item for an unreadable one, the next of `positions` is used instead: any other
    might be held out, or add a label beyond the budget.
    """

    def __init__(self, dataset: Items, positions: Sequence[int]) -> None:
        self.dataset, self.positions = dataset, [int(p) for p in positions]
        if dataset.disk_groups is not None and sorted(self.positions) == self.positions:
            self.disk_groups = dataset.disk_groups.select(np.array(self.positions, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, requested = key
        corrupt: list[int] = []
        for offset in range(len(self)):
            position = self.positions[(requested + offset) % len(self)]
            item = self.dataset[epoch, position]
            if position not in item.get("corrupt", ()):
                return item | {"corrupt": corrupt} if corrupt else item
            if item.keys() == {"corrupt"}:  # no substitute
                return item
            corrupt.append(position)
        raise DataError(
            f"none of the {len(self)} items that were chosen can be read, the first at position {self.positions[0]} of "
            "its split; mend it, or choose others by another seed or more labels"
        )

    def note_corrupt(self, positions: list[int]) -> None:
        """`positions` are those in the whole dataset."""
        self.dataset.note_corrupt(positions)
