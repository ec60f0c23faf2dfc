"""Arrays computed once, cached in files by a digest of their inputs, and memory-mapped."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from sslrun.core.atomic import make_once
from sslrun.data.audio.clips import Ragged

VERSION = 1
"""Incremented when reading, resampling or log-mel changes, to invalidate old cache files."""


def cached_rows(folder: Path, key: str, make: Callable[[], Iterator[np.ndarray]]) -> Ragged:
    """The rows that `make` yields, from the cache files of `key` if they exist."""
    flat, ends = folder / f"{key}-v{VERSION}.bin", folder / f"{key}-v{VERSION}.npy"
    make_once(lambda f, e: _write(f, e, make()), flat, ends)
    shape = np.load(ends, allow_pickle=False)  # (N + 1,): number of columns (0 for 1-D rows), then the ends
    columns, bounds = int(shape[0]), shape[1:]
    total = int(bounds[-1])
    dtype = np.float32 if columns else np.int16
    values = np.memmap(flat, dtype=dtype, mode="r", shape=(total, columns) if columns else (total,))
    return Ragged(values, bounds)


def _write(flat: Path, ends: Path, rows: Iterator[np.ndarray]) -> None:
    """Write int16 (n,) or float32 (n, columns) rows."""
    lengths, columns = [], 0
    with flat.open("wb") as file:
        for row in rows:
            columns = row.shape[1] if row.ndim == 2 else 0
            assert row.dtype == (np.float32 if columns else np.int16)
            file.write(np.ascontiguousarray(row).tobytes())
            lengths.append(len(row))
    with ends.open("wb") as file:
        np.save(file, np.array([columns, *np.cumsum(lengths)], dtype=np.int64))
