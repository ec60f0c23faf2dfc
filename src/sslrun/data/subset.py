"""Some items of a dataset."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from sslrun.data.base import Items, Key


class Subset(Items):
    """The items at `positions`, read by `Key` like the whole."""

    def __init__(self, dataset: Items, positions: Sequence[int]) -> None:
        self.dataset, self.positions = dataset, [int(p) for p in positions]
        if dataset.together is not None and sorted(self.positions) == self.positions:
            self.together = dataset.together.of(np.array(self.positions, dtype=np.int64))

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, position = key
        return self.dataset[epoch, self.positions[position]]

    def note_corrupt(self, positions: list[int]) -> None:
        """Items tell their positions in the whole."""
        self.dataset.note_corrupt(positions)
