"""Recordings as they were read, and the items that are cut out of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from sslrun.config.errors import DataError


@dataclass(frozen=True)
class Recordings:
    """Series in memory.

    Attributes:
        values: of each (T, C) float32, NaN where a value is missing.
        names: of each, for messages.
        labels: of each its class, or (T,) classes of its rows; None where there are none.
        anomalies: of each (T,) bool; None where nothing tells them.
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
        recordings: they may be those of another split too, of which this one has other rows.
        spans: (K, 3) int64: recording, first row, row behind the last; the split's own rows.
        windows: (N, 3) int64 likewise: the items.
        values: (N,) classes as they stand in the file; None where there are none.
    """

    recordings: Recordings
    spans: np.ndarray
    windows: np.ndarray
    values: np.ndarray | None

    def __len__(self) -> int:
        return len(self.windows)


def together(parts: list[Recordings], *, where: str) -> Recordings:
    """Several files as one.

    Raises:
        DataError: other channels in one than in another, or only some with classes.
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
    """(K, 3) spans that take every recording from end to end."""
    return np.array([(i, 0, len(v)) for i, v in enumerate(recordings.values)], dtype=np.int64)


def cut_in_time(
    recordings: Recordings, *, borders: list[int] | None, validation: float, test_share: float
) -> dict[str, np.ndarray]:
    """Spans of train, validation and test, one after the other in each recording."""
    spans: dict[str, list[tuple[int, int, int]]] = {"train": [], "validation": [], "test": []}
    for i, values in enumerate(recordings.values):
        rows = len(values)
        behind = round(rows * (1 - test_share))
        ends = borders or [round(behind * (1 - validation)), behind, rows]
        if ends[2] > rows:
            raise DataError(f"dataset.borders={list(ends)}: {recordings.names[i]} has {rows} rows")
        for name, first, last in zip(spans, (0, *ends[:2]), ends, strict=True):
            spans[name].append((i, first, last))
    return {name: np.array(found, dtype=np.int64) for name, found in spans.items()}


def items_of(
    recordings: Recordings, spans: np.ndarray, *, window: int | None, stride: int | None, where: str
) -> Source:
    """Items of some spans: each as it is, or windows of it; a span shorter than a window is one item.

    Windows without any value are left out.

    Raises:
        DataError: none is left.
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
