"""Recordings as read from files, and the items cut out of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sslrun.config.errors import DataError


@dataclass(frozen=True)
class Recordings:
    """Series in memory.

    Attributes:
        values: (T, C) float32 each, NaN where a value is missing.
        names: one each, for messages.
        labels: a class each, or (T,) classes of the rows; None without labels.
        anomalies: (T,) bool each, or None.
    """

    values: list[np.ndarray]
    names: list[str]
    labels: list[Any] | None = None
    anomalies: list[np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Source:
    """Items of one split.

    Attributes:
        recordings: may be shared with another split that uses other rows.
        spans: (K, 3) int64, the split's rows: recording, first row, end row (exclusive).
        windows: (N, 3) int64, the items, in the same format.
        values: (N,) class values from the file, or None.
    """

    recordings: Recordings
    spans: np.ndarray
    windows: np.ndarray
    values: np.ndarray | None

    def __len__(self) -> int:
        return len(self.windows)


def concatenate(parts: list[Recordings], *, where: str) -> Recordings:
    """Join several files.

    Raises:
        DataError: unequal numbers of channels, or only some files with labels.
    """
    channels = {v.shape[1]: n for part in parts for v, n in zip(part.values, part.names, strict=True)}
    if len(channels) > 1:
        examples = ", ".join(f"{name} has {count}" for count, name in list(channels.items())[:2])
        raise DataError(f"{where}: all series must have the same channels; {examples}")
    known = [part.labels is not None for part in parts]
    if any(known) and not all(known):
        raise DataError(f"{where}: only some of its files have labels")
    of_parts = [part.anomalies for part in parts if part.anomalies is not None]
    return Recordings(
        [v for part in parts for v in part.values],
        [n for part in parts for n in part.names],
        [label for part in parts for label in part.labels or ()] if all(known) else None,
        [rows for of_part in of_parts for rows in of_part] if len(of_parts) == len(parts) else None,
    )


def whole(recordings: Recordings) -> np.ndarray:
    """(K, 3) spans that cover every recording."""
    return np.array([(i, 0, len(v)) for i, v in enumerate(recordings.values)], dtype=np.int64)


def cut_in_time(
    recordings: Recordings, *, borders: list[int] | None, validation: float, test_share: float
) -> dict[str, np.ndarray]:
    """Consecutive spans of train, validation and test in each recording."""
    spans: dict[str, list[tuple[int, int, int]]] = {"train": [], "validation": [], "test": []}
    for i, values in enumerate(recordings.values):
        rows = len(values)
        test_start = round(rows * (1 - test_share))
        ends = borders or [round(test_start * (1 - validation)), test_start, rows]
        if ends[2] > rows:
            raise DataError(f"dataset.borders={list(ends)}: {recordings.names[i]} has {rows} rows")
        for name, first, last in zip(spans, (0, *ends[:2]), ends, strict=True):
            spans[name].append((i, first, last))
    return {name: np.array(found, dtype=np.int64) for name, found in spans.items()}


def items_of(
    recordings: Recordings, spans: np.ndarray, *, window: int | None, stride: int | None, where: str
) -> Source:
    """Items of some spans: whole spans, or windows of them; a span shorter than a window is one item.

    Windows without any value are dropped.

    Raises:
        DataError: no items remain.
    """
    found = []
    for recording, first, last in spans.tolist():
        size = last - first if window is None else min(window, last - first)
        for start in range(first, last - size + 1, stride or size) if size else ():
            if not np.isnan(recordings.values[recording][start : start + size]).all():
                found.append((recording, start, start + size))
    if not found:
        raise DataError(f"{where}: no series with any value in it")
    windows = np.array(found, dtype=np.int64)
    values = None
    if recordings.labels is not None:
        values = np.array([_label(recordings.labels[i], a, b) for i, a, b in found])
    return Source(recordings, spans, windows, values)


def _label(known: Any, first: int, last: int) -> str:
    if not isinstance(known, np.ndarray):
        return str(known)
    classes, counts = np.unique(known[first:last].astype(str), return_counts=True)
    return str(classes[counts.argmax()])
