"""Some items of a dataset."""

from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset

from sslrun.data.base import Key


class Subset(Dataset[Any]):
    """The items at `positions`, read by `Key` like the whole."""

    def __init__(self, dataset: "Dataset[Any]", positions: Sequence[int]) -> None:
        self.dataset, self.positions = dataset, [int(p) for p in positions]

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, key: Key) -> Any:
        epoch, position = key
        return self.dataset[epoch, self.positions[position]]
