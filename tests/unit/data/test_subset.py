"""Some items of a dataset: what stands in for one that cannot be read."""

from pathlib import Path
from typing import Any

import pytest

from shards import picture, write_shard
from sslrun.config.errors import DataError
from sslrun.core.batch import ImageBatch
from sslrun.data.base import Items, Key
from sslrun.data.subset import Subset
from sslrun.data.unreadable import ReadableItems, Unreadable


class Numbers(Items):
    """Ten items, of which some cannot be read."""

    def __init__(self, broken: set[int]) -> None:
        self.broken = broken

    def __len__(self) -> int:
        return 10

    def __getitem__(self, key: Key) -> dict[str, Any]:
        if key[1] in self.broken:
            raise DataError(f"item {key[1]}")
        return {"index": key[1], "epoch": key[0]}


def some(positions: list[int], *, broken: set[int], stand_in: bool = True) -> tuple[Subset, list[str]]:
    reasons: list[str] = []
    unreadable = Unreadable(reasons, total=10, max_share=1)
    return Subset(ReadableItems(Numbers(broken), unreadable, stand_in=stand_in), positions), reasons


def test_the_next_of_the_positions_stands_in_not_the_next_of_the_whole() -> None:
    items, reasons = some([2, 5, 8], broken={2, 3, 8})
    assert items[7, 0] == {"index": 5, "epoch": 7, "corrupt": [2]}
    assert items[7, 1] == {"index": 5, "epoch": 7}
    assert items[7, 2] == {"index": 5, "epoch": 7, "corrupt": [8, 2]}
    items.note_corrupt([8, 2])
    assert reasons == ["item 8", "item 2"]  # 3 is another's


def test_nothing_stands_in_where_nothing_does_in_the_whole() -> None:
    assert some([2, 5], broken={2}, stand_in=False)[0][0, 0] == {"corrupt": [2]}


def test_positions_of_which_none_can_be_read_are_told() -> None:
    items, _ = some([4, 6], broken={4, 6})
    with pytest.raises(DataError, match="none of the 2 items that were chosen can be read, the first at position 4 of"):
        items[0, 0]


def test_images_are_those_of_the_positions_too(dataset: Any, policy: Any, tmp_path: Path) -> None:
    samples = {f"{i:02d}": {"png": picture(i)[: 60 if i % 4 == 0 else None]} for i in range(20)}
    data = dataset(
        "webdataset", train=str(write_shard(tmp_path / "a.tar", samples)), label=None, image_size=16, max_corrupt=0.5,
        mean=[0.5] * 3, std=[0.2] * 3,
    )  # fmt: skip
    whole = data.training(policy("weak"), batch_type=ImageBatch, seed=0)
    broken = [i for i in range(len(whole)) if "corrupt" in whole[0, i]]
    read = next(i for i in range(len(whole)) if i not in broken and i - 1 not in broken)
    items = Subset(whole, [broken[0], broken[1], read])
    assert [items[0, i]["index"] for i in range(3)] == [read] * 3
    assert items[0, 0]["corrupt"] == broken[:2]
