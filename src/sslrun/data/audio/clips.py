"""Clips: samples in one array, or read on the fly."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sslrun.data.labels import digest


@dataclass(frozen=True)
class Ragged:
    """Rows of unequal length in one array, which may be memory-mapped.

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
    """Rows concatenated into one array."""
    return Ragged(np.concatenate(rows), np.cumsum([len(row) for row in rows]).astype(np.int64))


class Rows(Protocol):
    """Rows of unequal length, stored (`Ragged`) or computed on access."""

    def __len__(self) -> int: ...

    def __getitem__(self, i: int) -> np.ndarray: ...


@dataclass(frozen=True)
class Computed:
    """Rows computed from others on each access, such as log-mel from samples."""

    inputs: Rows
    make: Callable[[np.ndarray], np.ndarray]

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, i: int) -> np.ndarray:
        return self.make(self.inputs[i])


@dataclass(frozen=True)
class Clips:
    """Recordings of one split.

    Attributes:
        waves: mono int16 samples at the dataset's sample rate.
        names: one per clip, for messages; empty if streamed.
        labels: (N,) class values, or None.
        groups: (N,) strings, such as speakers, or None.
        transcripts: one per clip, or None.
        key: hex digest of the files and the sample rate, used as cache key; None disables caching.
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
