"""The .ts format of the UCR and UEA archives (timeseriesclassification.com): one series per line, channels separated
by colons, the class last."""

from pathlib import Path

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.series.source import Recordings

FLAGS = ("timestamps", "classlabel", "targetlabel")


def read_ts(path: Path) -> Recordings:
    """All series of a file, which may differ in length; within a series, shorter channels are padded with NaN.

    Raises:
        DataError: timestamps or regression targets, which are unsupported, or a line that contradicts the header.
    """
    flags, lines = _header(path)
    if flags["timestamps"]:
        raise DataError(f"{path}: its series have timestamps of their own, which are not read; write them as .csv")
    if flags["targetlabel"]:
        raise DataError(f"{path}: its labels are targets of regression; only classes are read")
    values: list[np.ndarray] = []
    labels: list[str] = []
    for number, line in lines:
        parts = line.split(":")
        if flags["classlabel"]:
            labels.append(parts.pop().strip())
        try:
            channels = [_channel(part) for part in parts]
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        if not channels or (flags["classlabel"] and not labels[-1]):
            raise DataError(f"{path}, line {number}: no values, or no class after the last colon")
        series = np.full((max(map(len, channels)), len(channels)), np.nan, dtype=np.float32)
        for c, channel in enumerate(channels):
            series[: len(channel), c] = channel
        if values and series.shape[1] != values[0].shape[1]:
            raise DataError(
                f"{path}, line {number}: {series.shape[1]} channel(s), the lines before have {values[0].shape[1]}"
            )
        values.append(series)
    names = [f"{path.name}:{number}" for number, _ in lines]
    return Recordings(values, names, labels if flags["classlabel"] else None)


def _header(path: Path) -> tuple[dict[str, bool], list[tuple[int, str]]]:
    """Flags of the header, and the numbered lines of data."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")  # comments come in any encoding
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    flags, lines, in_data = dict.fromkeys(FLAGS, False), [], False
    for number, line in enumerate(text.splitlines(), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        if in_data:
            lines.append((number, line))
        elif line.lower().startswith("@data"):
            in_data = True
        elif line.startswith("@"):
            key, *rest = line[1:].split()
            if key.lower() in flags:
                flags[key.lower()] = bool(rest) and rest[0].lower() == "true"
        else:
            raise DataError(f"{path}, line {number}: values before @data; this is no .ts file")
    if not lines:
        raise DataError(f"{path}: no series after @data")
    return flags, lines


def _channel(text: str) -> np.ndarray:
    if not text.strip():
        raise ValueError("a channel without values")
    return np.array([np.nan if v.strip() == "?" else float(v) for v in text.split(",")], dtype=np.float32)
