"""Arrays that are made once, kept in files under a key of what they are made of, and memory-mapped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sslrun.core.atomic import replacing
from sslrun.data.audio.clips import Ragged
from sslrun.data.folders import locked

VERSION = 1
"""Raised when reading, resampling or log-mel changes, so that old files are not read again."""


def keep(folder: Path, key: str, make: Callable[[], Iterator[np.ndarray]]) -> Ragged:
    """The rows that `make` yields, from the files of `key` where they are there.

    Processes that ask for the same wait for the first of them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    flat, ends = folder / f"{key}-v{VERSION}.bin", folder / f"{key}-v{VERSION}.npy"
    if not ends.exists():
        with locked(folder / f"{key}.lock"):
            if not ends.exists():
                _write(flat, ends, make())
    shape = np.load(ends, allow_pickle=False)  # (N + 1,): columns, or 0 of plain rows, and the ends
    columns, bounds = int(shape[0]), shape[1:]
    total = int(bounds[-1])
    dtype = np.float32 if columns else np.int16
    values = np.memmap(flat, dtype=dtype, mode="r", shape=(total, columns) if columns else (total,))
    return Ragged(values, bounds)


def _write(flat: Path, ends: Path, rows: Iterator[np.ndarray]) -> None:
    """Rows of int16 (n,) or float32 (n, columns); the ends last, so that their presence means a whole file."""
    lengths, columns = [], 0
    with replacing(flat) as temporary, temporary.open("wb") as file:
        for row in rows:
            columns = row.shape[1] if row.ndim == 2 else 0
            assert row.dtype == (np.float32 if columns else np.int16)
            file.write(np.ascontiguousarray(row).tobytes())
            lengths.append(len(row))
    with replacing(ends) as temporary, temporary.open("wb") as file:
        np.save(file, np.array([columns, *np.cumsum(lengths)], dtype=np.int64))
