"""Tokens of texts that are not held in memory."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once
from sslrun.data.labels import digest
from sslrun.data.text.tokenizer import EncodedTexts, Tokenizer

CHUNK = 1000
"""Texts tokenized at a time when counting tokens."""


class StreamedTokens:
    """Tokens of texts that are read and tokenized on each access.

    Args:
        texts: read one at a time, in any order.
        folder: caches token counts, which are computed on first use.
        key: digest of the texts and the tokenizer.
        report: called with the reason for each text that cannot be read while counting.
    """

    def __init__(
        self, texts: Sequence[str], tokenizer: Tokenizer, *, folder: Path, key: str, report: Callable[[str], None]
    ) -> None:
        self._texts, self._tokenizer, self._folder, self._key, self._report = texts, tokenizer, folder, key, report
        self._last: tuple[int, tuple[np.ndarray, np.ndarray]] | None = None

    def tokens(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int32 ids without special tokens, and (n,) bool, whether each starts a word."""
        if self._last is None or self._last[0] != position:  # consecutive blocks often share a text
            found = self._tokenizer.encode([self._texts[position]])
            self._last = position, (found.ids, found.starts_word)
        return self._last[1]

    def lengths(self, positions: np.ndarray) -> np.ndarray:
        """(n,) int64 token counts of some texts, which are read once; the counts are cached."""
        path = self._folder / f"{digest(self._key, positions)}.npy"

        def make(temporary: Path) -> None:
            with temporary.open("wb") as file:
                np.save(file, self._count(positions))

        make_once(make, path)
        counted: np.ndarray = np.load(path, allow_pickle=False)
        for i in np.flatnonzero(counted < 0):  # readable by now, or reported again
            counted[i] = self._count(positions[i : i + 1])[0]
        return np.maximum(counted, 0)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_last": None}

    def _count(self, positions: np.ndarray) -> np.ndarray:
        counts = []
        for start in range(0, len(positions), CHUNK):
            texts = [self._read(int(i)) for i in positions[start : start + CHUNK]]
            found = self._tokenizer.encode([text or "" for text in texts]).lengths(np.arange(len(texts)))
            counts.append(np.where([text is None for text in texts], -1, found))
        return np.concatenate(counts)

    def _read(self, position: int) -> str | None:
        """The text, or None if it cannot be read."""
        try:
            return self._texts[position]
        except DataError as error:
            self._report(str(error))
            return None


class Stream:
    """Documents in sequence, each followed by an end token; slices are computed on demand.

    Documents without tokens, such as unreadable ones, are skipped along with their end tokens.
    """

    def __init__(self, encoded: EncodedTexts, positions: np.ndarray, *, end: int) -> None:
        self._encoded, self._positions, self._end = encoded, positions, end
        lengths = encoded.lengths(positions)
        self.ends = np.cumsum(np.where(lengths > 0, lengths + 1, 0))
        """(N,) int64, position after each document's end token; skipped documents repeat the previous one."""

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, span: slice) -> np.ndarray:
        """(n,) int32 ids of a slice that has start and stop."""
        start, stop = int(span.start), min(int(span.stop), len(self))
        first, last = (int(np.searchsorted(self.ends, at, side="right")) for at in (start, stop - 1))
        origin = int(self.ends[first - 1]) if first else 0
        has_tokens = np.diff(self.ends[first : last + 1], prepend=origin) > 0
        documents = [self._encoded.tokens(int(p))[0] for p in self._positions[first : last + 1][has_tokens]]
        pieces = [piece for ids in documents for piece in (ids, [self._end])]
        return np.concatenate(pieces).astype(np.int32)[start - origin : stop - origin]
