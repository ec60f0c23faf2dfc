"""Recordings from tables (.csv and .parquet, one column per channel) and from arrays (.npy)."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.errors import DataError
from sslrun.data.labels import check_filled
from sslrun.data.series.source import Recordings

MAX_GROWTH = 20
"""Limit on how many times longer filling gaps may make a recording."""
TOLERANCE = 0.25
"""Maximum distance of a row from its grid point, in steps."""


def read_table(path: Path, config: SeriesConfig) -> Recordings:
    """One recording from a .csv or .parquet file.

    Raises:
        DataError: an unreadable file, a missing or non-numeric column, or times that do not increase.
    """
    try:
        table = pa.csv.read_csv(path) if path.suffix.lower() == ".csv" else pa.parquet.read_table(path)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    for key, names in (
        ("time", [config.time]),
        ("label", [config.label]),
        ("anomaly", [config.anomaly]),
        ("columns", config.columns or []),
    ):
        for name in names:
            if name is not None and name not in table.column_names:
                near = did_you_mean(name, table.column_names)
                raise DataError(
                    f"dataset.{key}={name}: no such column in {path.name}{near}; it has {', '.join(table.column_names)}"
                )
    channels = list(config.columns or _numeric(table, without=(config.time, config.label, config.anomaly)))
    if not channels:
        raise DataError(f"{path}: no columns of numbers; it has {', '.join(table.column_names)}")
    try:
        values = np.stack([_numbers(table[name]) for name in channels], axis=1)  # (T, C)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{path}: a column of {', '.join(channels)} holds no numbers: {error}") from error
    label = None if config.label is None else _labels(table, config.label, where=path.name)
    anomalies = None if config.anomaly is None else _anomalies(table[config.anomaly], path)
    if config.time is not None:
        grid_rows = on_grid(_times(table[config.time], path), step=config.step, where=f"{path.name}, {config.time}")
        gridded = np.full((grid_rows[-1] + 1, len(channels)), np.nan, dtype=np.float32)
        gridded[grid_rows] = values
        values = gridded
        if label is not None:  # missing rows take the class of the row before
            label = label[np.searchsorted(grid_rows, np.arange(grid_rows[-1] + 1), side="right") - 1]
        if anomalies is not None:
            anomalies = np.isin(np.arange(len(values)), grid_rows[anomalies])
    return Recordings(
        [values], [path.name], None if label is None else [label], None if anomalies is None else [anomalies]
    )


def on_grid(times: np.ndarray, *, step: float | None, where: str) -> np.ndarray:
    """(T,) int64 positions of rows on an even grid that starts at 0.

    Args:
        times: (T,) float64.
        step: between grid points; None takes the median difference.

    Raises:
        DataError: times that do not increase, are off the grid, or leave too many gaps.
    """
    if np.isnan(times).any():
        raise DataError(f"{where}: row {int(np.isnan(times).argmax())} has no time")
    gaps = np.diff(times)
    if (gaps <= 0).any():
        row = int((gaps <= 0).argmax()) + 1
        raise DataError(f"{where}: row {row} is not later than the one before; sort the file and drop doubles")
    step = step or float(np.median(gaps)) if len(gaps) else 1.0
    exact = (times - times[0]) / step
    rounded = np.round(exact).astype(np.int64)
    uneven = (np.abs(exact - rounded) > TOLERANCE) | np.append(False, np.diff(rounded) == 0)
    if uneven.any():
        raise DataError(
            f"{where}: row {int(uneven.argmax())} lies between the steps of {step:g}; resample the file, or set "
            "dataset.step, or leave dataset.time out"
        )
    if rounded[-1] + 1 > MAX_GROWTH * len(times):
        raise DataError(
            f"{where}: gaps would make {len(times)} rows {rounded[-1] + 1}; cut the file into one for each recording"
        )
    return rounded


def read_npy(path: Path) -> Recordings:
    """One recording from a (T,) or (T, C) array, or N series from an (N, T, C) array.

    Optional files next to it: NAME_labels.npy with classes, (N,) or (T,), and NAME_anomalies.npy, (N, T) or (T,), with
    nonzero values at anomalies.

    Raises:
        DataError: arrays of other shapes.
    """
    try:
        array = np.load(path, allow_pickle=False)
        labels_path = path.with_name(f"{path.stem}_labels.npy")
        labels = np.load(labels_path, allow_pickle=False) if labels_path.exists() else None
        anomalies_path = path.with_name(f"{path.stem}_anomalies.npy")
        anomalies = np.load(anomalies_path, allow_pickle=False).astype(bool) if anomalies_path.exists() else None
        array = array.astype(np.float32)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {str(error).splitlines()[0]}") from error
    if array.ndim not in (1, 2, 3) or not array.size:
        raise DataError(f"{path}: an array of shape {array.shape}; expected (T, C) of one recording or (N, T, C)")
    if labels is not None and labels.shape != array.shape[:1]:
        raise DataError(f"{labels_path}: {labels.shape} labels for an array of {array.shape}")
    if anomalies is not None and anomalies.shape != array.shape[: max(1, array.ndim - 1)]:
        raise DataError(f"{anomalies_path}: shape {anomalies.shape} for an array of {array.shape}")
    if array.ndim == 3:
        names = [f"{path.name}[{i}]" for i in range(len(array))]
        classes = None if labels is None else [str(v) for v in labels]
        return Recordings(list(array), names, classes, None if anomalies is None else list(anomalies))
    whole = array.reshape(len(array), -1)
    classes_of_rows = None if labels is None else [labels.astype(str)]
    return Recordings([whole], [path.name], classes_of_rows, None if anomalies is None else [anomalies])


def _numeric(table: Any, *, without: tuple[str | None, ...]) -> list[str]:
    kinds = {name: table.schema.field(name).type for name in table.column_names if name not in without}
    return [n for n, k in kinds.items() if pa.types.is_integer(k) or pa.types.is_floating(k) or pa.types.is_null(k)]


def _numbers(column: Any) -> np.ndarray:
    return column.cast(pa.float32()).to_numpy(zero_copy_only=False)


def _labels(table: Any, column: str, *, where: str) -> np.ndarray:
    """(T,) strings."""
    cells = table[column].to_pylist()
    check_filled(cells, column=column, where=where)
    return np.array([str(v) for v in cells])


def _anomalies(column: Any, path: Path) -> np.ndarray:
    """(T,) bool: True where the cell is neither 0 nor empty."""
    try:
        return np.asarray(np.nan_to_num(_numbers(column)) != 0)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise DataError(f"{path}: the column dataset.anomaly holds no numbers (0, or not 0): {error}") from error


def _times(column: Any, path: Path) -> np.ndarray:
    """(T,) float64; dates become seconds."""
    kind = column.type
    try:
        if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
            return np.asarray(column.cast(pa.timestamp("us")).cast(pa.int64()).to_numpy(), dtype=np.float64) / 1e6
        return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowException as error:
        raise DataError(
            f"{path}: its column of time is of type {kind}; expected dates such as 2016-07-01 00:00:00, or numbers"
        ) from error
