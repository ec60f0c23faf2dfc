"""Tokens of texts that are not held in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.errors import DataError
from sslrun.core.atomic import made_once
from sslrun.data.labels import digest
from sslrun.data.text.tokenizer import Tokenizer, TokensOf

AT_A_TIME = 1000
"""Texts tokenized together when they are counted."""


class StreamedTokens:
    """Tokens of texts that are read and tokenized each time.

    Args:
        texts: read one at a time, in any order.
        folder: keeps the numbers of tokens, which are counted once, when they are first asked for.
        key: of the texts and the tokenizer.
        note: is told of each text that cannot be read when texts are counted.
    """

    def __init__(
        self, texts: Sequence[str], tokenizer: Tokenizer, *, folder: Path, key: str, note: Callable[[str], None]
    ) -> None:
        self._texts, self._tokenizer, self._folder, self._key, self._note = texts, tokenizer, folder, key, note
        self._last: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def of(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int32 ids without marks, and (n,) bool, whether each is the first of its word."""
        if self._last is None or self._last[0] != position:  # blocks of one long text follow each other
            found = self._tokenizer.encode([self._texts[position]])
            self._last = position, (found.ids, found.starts_word)
        return self._last[1]

    def lengths(self, positions: np.ndarray) -> np.ndarray:
        """(n,) int64 tokens of some texts; these are read for it once, and the numbers are kept."""
        path = self._folder / f"{digest(self._key, positions)}.npy"

        def make(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, self._count(positions))

        made_once(make, path)
        counted: np.ndarray = np.load(path, allow_pickle=False)
        for position in positions[counted < 0]:
            self._read(int(position))
        return np.maximum(counted, 0)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def _count(self, positions: np.ndarray) -> np.ndarray:
        counts = []
        for start in range(0, len(positions), AT_A_TIME):
            texts = [self._read(int(i)) for i in positions[start : start + AT_A_TIME]]
            found = self._tokenizer.encode([text or "" for text in texts]).lengths(np.arange(len(texts)))
            counts.append(np.where([text is None for text in texts], -1, found))
        return np.concatenate(counts)

    def _read(self, position: int) -> str | None:
        """None where it cannot be read."""
        try:
            return self._texts[position]
        except DataError as error:
            self._note(str(error))
            return None


class Stream:
    """Documents behind each other, an end mark after each, of which slices are made when they are asked for.

    Documents without tokens, such as those that cannot be read, are left out with their end marks.
    """

    def __init__(self, encoded: TokensOf, positions: np.ndarray, *, end: int) -> None:
        self._encoded, self._positions, self._end = encoded, positions, end
        lengths = encoded.lengths(positions)
        self.ends = np.cumsum(np.where(lengths > 0, lengths + 1, 0))
        """(N,) int64, where each document's end mark is behind; the same as before it of one that is left out."""

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, asked: slice) -> np.ndarray:
        """(n,) int32 ids of a slice with start and stop."""
        start, stop = int(asked.start), min(int(asked.stop), len(self))
        first, last = (int(np.searchsorted(self.ends, at, side="right")) for at in (start, stop - 1))
        origin = int(self.ends[first - 1]) if first else 0
        has_tokens = np.diff(self.ends[first : last + 1], prepend=origin) > 0
        documents = [self._encoded.of(int(p))[0] for p in self._positions[first : last + 1][has_tokens]]
        pieces = [piece for ids in documents for piece in (ids, [self._end])]
        return np.concatenate(pieces).astype(np.int32)[start - origin : stop - origin]
