"""Items that cannot be read: counted, named, and left out of their batches."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from sslrun.config.errors import DataError
from sslrun.data.base import Items, Key

T = TypeVar("T")


def check_corrupt(count: int, total: int, *, what: str, first: str, max_share: float) -> None:
    """Refuse a dataset of which too much is left out.

    Args:
        count: items that are left out.
        total: items of all splits.
        what: the items and what is wrong with them, such as `images cannot be read`.
        first: name of the first, or the reason.

    Raises:
        DataError: they are more than `max_share` of all.
    """
    if count > max_share * total:
        raise DataError(
            f"{count} of {total} {what} (first: {first}); more than dataset.max_corrupt={max_share:g} of all; mend or "
            "remove them, or raise it"
        )


class Unreadable:
    """What could not be read so far.

    Args:
        reasons: one line each, the sample's name first; added to.
        total: samples of all splits.
        max_share: of them that may be unreadable.
    """

    def __init__(self, reasons: list[str], *, total: int, max_share: float) -> None:
        self.reasons, self.total, self.max_share = reasons, total, max_share

    def add(self, reason: str) -> None:
        """Count a sample; DataError if there are too many."""
        if reason in self.reasons:
            return
        self.reasons.append(reason)
        count, what = len(self.reasons), "samples cannot be read"
        check_corrupt(count, self.total, what=what, first=self.reasons[0], max_share=self.max_share)

    def readable(self, read: Callable[[int], T], positions: Iterable[int]) -> Iterator[tuple[int, T]]:
        """The place of each position and what `read` gives for it; positions where it raises DataError are counted."""
        for place, position in enumerate(positions):
            try:
                found = read(int(position))
            except DataError as error:
                self.add(str(error))
            else:
                yield place, found


class ReadableItems(Items):
    """Items of which some cannot be read; `corrupt` lists those.

    Args:
        items: raise DataError when one of them cannot be read.
        stand_in: whether the next readable item takes its place, so that batches keep their size; else none does.
    """

    def __init__(self, items: Items, unreadable: Unreadable, *, stand_in: bool) -> None:
        self.items, self.stand_in = items, stand_in
        self.are_of_split, self.characters, self.together = items.are_of_split, items.characters, items.together
        self._unreadable: Unreadable | None = unreadable

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, asked = key
        corrupt: list[int] = []
        while True:
            position = (asked + len(corrupt)) % len(self)
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
        """Count them, with the reasons that a second attempt gives."""
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
    """A batch of the items that could be read, and `corrupt` if others could not."""
    corrupt = [position for item in items for position in item.get("corrupt", ())]
    readable = [item for item in items if item.keys() - {"corrupt"}]
    batch = collate(readable) if readable else {}
    return batch | {"corrupt": corrupt} if corrupt else batch
