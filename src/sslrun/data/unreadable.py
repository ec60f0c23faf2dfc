"""Unreadable items: counted, reported, and left out of their batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sslrun.config.errors import DataError
from sslrun.data.base import Items, Key

T = TypeVar("T")


def check_corrupt(count: int, total: int, *, what: str, first: str, max_share: float) -> None:
    """Reject a dataset with too many bad items.

    Args:
        count: bad items.
        total: items of all splits.
        what: noun and problem, such as `images cannot be read`.
        first: name of the first bad item, or the reason.

    Raises:
        DataError: `count` exceeds `max_share` of `total`.
    """
    if count > max_share * total:
        raise DataError(
            f"{count} of {total} {what} (first: {first}); more than dataset.max_corrupt={max_share:g} of all; mend or "
            "remove them, or raise it"
        )


class Unreadable:
    """Record of the unreadable samples found so far.

    Args:
        reasons: one line per sample, its name first; appended to.
        total: samples of all splits.
        max_share: share of them that may be unreadable.
    """

    def __init__(self, reasons: list[str], *, total: int, max_share: float) -> None:
        self.reasons, self.total, self.max_share = reasons, total, max_share

    def add(self, reason: str) -> None:
        """Record a sample; DataError if there are too many."""
        if reason in self.reasons:
            return
        self.reasons.append(reason)
        count, what = len(self.reasons), "samples cannot be read"
        check_corrupt(count, self.total, what=what, first=self.reasons[0], max_share=self.max_share)

    def readable(self, read: Callable[[int], T], positions: Iterable[int]) -> Iterator[tuple[int, T]]:
        """Each index into `positions` with what `read` returns; where it raises DataError, the sample is recorded."""
        for i, position in enumerate(positions):
            try:
                found = read(int(position))
            except DataError as error:
                self.add(str(error))
            else:
                yield i, found


class ReadableItems(Items):
    """Items that may be unreadable; `corrupt` lists the positions of those that were.

    Args:
        items: reading one may raise DataError.
        stand_in: use the next readable item instead, so that batches keep their size; otherwise the item is dropped.
    """

    def __init__(self, items: Items, unreadable: Unreadable, *, stand_in: bool) -> None:
        self.items, self.stand_in = items, stand_in
        self.aligned_with_split, self.characters = items.aligned_with_split, items.characters
        self.disk_groups = items.disk_groups
        self._unreadable: Unreadable | None = unreadable

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, requested = key
        corrupt: list[int] = []
        while True:
            position = (requested + len(corrupt)) % len(self)
            try:
                item = self.items[epoch, position]
                return item | {"corrupt": corrupt} if corrupt else item
            except DataError:
                corrupt.append(position)
                if not self.stand_in:
                    return {"corrupt": corrupt}
                if len(corrupt) == len(self):
                    raise

    def note_corrupt(self, positions: list[int]) -> None:
        """Record them, with the reasons from a second attempt."""
        assert self._unreadable is not None, "workers report through their batches"
        for position in positions:
            try:
                self.items[0, position]
            except DataError as error:
                self._unreadable.add(str(error))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_unreadable": None}


def collate_readable(
    items: list[dict[str, Any]], collate: Callable[[list[dict[str, Any]]], dict[str, Any]]
) -> dict[str, Any]:
    """A batch of the readable items, with `corrupt` if there were others."""
    corrupt = [position for item in items for position in item.get("corrupt", ())]
    readable = [item for item in items if item.keys() - {"corrupt"}]
    batch = collate(readable) if readable else {}
    return batch | {"corrupt": corrupt} if corrupt else batch
