"""Clips: samples of all of them in one array, or read when they are asked for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sslrun.data.labels import digest


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal lengths in one array, which may be memory-mapped.

    Attributes:
        flat: (total, …).
        ends: (N,) int64; row i is flat[ends[i - 1] : ends[i]].
    """

    flat: np.ndarray
    ends: np.ndarray

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.flat[int(self.ends[i - 1]) if i else 0 : int(self.ends[i])]

    def at(self, rows: np.ndarray) -> "Ragged":
        """Some of the rows, copied."""
        return ragged([self[int(i)] for i in rows])

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64."""
        return np.diff(self.ends, prepend=0)


def ragged(rows: list[np.ndarray]) -> Ragged:
    """Rows put behind each other."""
    return Ragged(np.concatenate(rows), np.cumsum([len(row) for row in rows]).astype(np.int64))


class Rows(Protocol):
    """Rows of unequal lengths, in memory (`Ragged`) or made when they are asked for."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Made:
    """Rows that are made of others each time, such as log-mel of samples."""

    of: Rows
    make: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.of)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.make(self.of[i])


@dataclass(frozen=True)
class Clips:
    """Recordings of one split.

    Attributes:
        waves: mono samples in int16, at the dataset's sample rate.
        names: of each, for messages; none where they are streamed.
        labels: (N,) classes as they were told, strings; None where there are none.
        groups: (N,) strings likewise, such as speakers.
        transcripts: of each, what is said.
        key: hex digest of the files and the sample rate, under which what is made of them lies; None where nothing is
            to be kept.
    """

    waves: Rows
    names: Sequence[str]
    labels: np.ndarray | None = None
    groups: np.ndarray | None = None
    transcripts: list[str] | None = None
    key: str | None = None

    def __len__(self) -> int:
        return len(self.waves)

    @property
    def fingerprint(self) -> str:
        """Hex digest of the samples, or of their files."""
        if self.key is None:
            assert isinstance(self.waves, Ragged)
            return digest(self.waves.flat, self.waves.ends)
        return self.key
