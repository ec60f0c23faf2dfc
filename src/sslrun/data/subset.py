"""Some items of a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.base import Items, Key


class Subset(Items):
    """The items at `positions`, read by `Key` like the whole.

    Where the whole lets another item stand in for one that cannot be read, the next of `positions` does here: another
    might be held out, or bring a label from outside the budget.
    """

    def __init__(self, dataset: Items, positions: Sequence[int]) -> None:
        self.dataset, self.positions = dataset, [int(p) for p in positions]
        if dataset.together is not None and sorted(self.positions) == self.positions:
            self.together = dataset.together.of(np.array(self.positions, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, asked = key
        corrupt: list[int] = []
        for further in range(len(self)):
            position = self.positions[(asked + further) % len(self)]
            item = self.dataset[epoch, position]
            if position not in item.get("corrupt", ()):
                return item | {"corrupt": corrupt} if corrupt else item
            if item.keys() == {"corrupt"}:  # nothing stands in
                return item
            corrupt.append(position)
        raise DataError(
            f"none of the {len(self)} items that were chosen can be read, the first at position {self.positions[0]} of "
            "its split; mend it, or choose others by another seed or more labels"
        )

    def note_corrupt(self, positions: list[int]) -> None:
        """Items tell their positions in the whole."""
        self.dataset.note_corrupt(positions)
