"""The texts of one split, in memory."""

from dataclasses import dataclass

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.unreadable import check_corrupt


@dataclass(frozen=True)
class Documents:
    """Texts in memory.

    Attributes:
        names: one per text, for messages.
        values: (N,) class values from the file, strings or numbers, or None.
    """

    texts: list[str]
    names: list[str]
    values: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, positions: np.ndarray) -> "Documents":
        """The documents at some positions."""
        return Documents(
            [self.texts[i] for i in positions],
            [self.names[i] for i in positions],
            None if self.values is None else self.values[positions],
        )


def concatenate(parts: list[Documents], *, where: str) -> Documents:
    """Join several files.

    Raises:
        DataError: only some of them have classes.
    """
    known = [part.values is not None for part in parts]
    if any(known) and not all(known):
        raise DataError(f"{where}: only some of its files have labels")
    values = [part.values for part in parts if part.values is not None]
    return Documents(
        [text for part in parts for text in part.texts],
        [name for part in parts for name in part.names],
        np.concatenate(values) if values else None,
    )


def without_empty(
    sources: dict[str, Documents], *, dataset: str, max_share: float
) -> tuple[dict[str, Documents], list[str]]:
    """The sources without empty texts, and the names of the empty ones.

    Raises:
        DataError: a source without any text, or a share of empty texts above `max_share`.
    """
    kept, empty = {}, []
    for split, documents in sources.items():
        filled = np.array([bool(text.strip()) for text in documents.texts], dtype=bool)
        if not filled.any():
            raise DataError(f"dataset={dataset}: {split} has no text in any of its {len(documents)} documents")
        empty += [documents.names[i] for i in np.flatnonzero(~filled)]
        kept[split] = documents if filled.all() else documents.at(np.flatnonzero(filled))
    total = sum(map(len, sources.values()))
    if empty:
        check_corrupt(len(empty), total, what="texts are empty", first=empty[0], max_share=max_share)
    return kept, empty
