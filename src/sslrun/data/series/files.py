"""Series from files and folders."""

from pathlib import Path

import numpy as np

from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.errors import DataError
from sslrun.data.series.series import SeriesData
from sslrun.data.series.source import Recordings, Source, concatenate, cut_in_time, items_of, whole
from sslrun.data.series.tables import read_npy, read_table
from sslrun.data.series.ts import read_ts
from sslrun.data.split_names import find_splits, split_named

ENDINGS = (".ts", ".csv", ".parquet", ".npy")
SIDECAR_ENDINGS = ("_labels", "_anomalies")
"""Suffixes of files that annotate the array next to them."""


class SeriesFiles(SeriesData):
    """Splits as the files define them; recordings that are cut into windows are also split by time."""

    def __init__(self, config: SeriesConfig) -> None:
        super().__init__(config, read_sources(config))
        self.horizons = tuple(config.horizons or ())


def read_sources(config: SeriesConfig) -> dict[str, Source]:
    """Items of each split.

    Raises:
        DataError: no data found, or not as configured.
    """
    if config.path is not None:
        paths = split_paths(Path(config.path).expanduser())
    else:
        paths = {split: Path(p).expanduser() for split, p in config.named_splits.items() if p}
    read = {split: read_recordings(path, config) for split, path in paths.items()}
    if config.borders is not None and len(read) > 1:
        raise DataError("dataset.borders cut one file or folder; this dataset has splits of its own")
    if config.window is None and len(read) == len(read["train"]) == 1:
        rows = len(read["train"].values[0])
        raise DataError(f"dataset.window=null: there is one recording, of {rows} rows; set dataset.window=ROWS")
    spans = {split: whole(recordings) for split, recordings in read.items()}
    if config.window is not None:
        spans |= _absent_in_time(read, config)
        read = {split: read.get(split, read["train"]) for split in spans}
    return {
        split: items_of(
            read[split], spans[split], window=config.window, stride=config.stride, where=f"{config.name}, {split}"
        )
        for split in read
    }


def _absent_in_time(read: dict[str, Recordings], config: SeriesConfig) -> dict[str, np.ndarray]:
    """Spans of train, and of missing splits, which are cut off the end of each of its recordings.

    If validation has its own file, test is cut only if train has labels: otherwise nothing is scored on it.

    Raises:
        DataError: dataset.horizons is set, but there is no test split.
    """
    is_cut = {"validation": "validation" not in read, "test": "test" not in read}
    if is_cut["test"] and not is_cut["validation"]:
        if config.horizons:
            raise DataError(
                f"dataset.horizons={list(config.horizons)}: there is no test beside train and validation; name it by "
                "dataset.test, or set dataset.horizons=null"
            )
        is_cut["test"] = read["train"].labels is not None
    spans = cut_in_time(
        read["train"],
        borders=config.borders,
        validation=config.validation if is_cut["validation"] else 0,
        test_share=config.test_share if is_cut["test"] else 0,
    )
    return {split: rows for split, rows in spans.items() if split == "train" or is_cut[split]}


def split_paths(path: Path) -> dict[str, Path]:
    """Splits below `path`; without a train among them, `path` itself is train.

    Raises:
        DataError: no such file or folder, or several candidates for a split.
    """
    if not path.exists():
        raise DataError(f"dataset.path={path}: no such file or folder")
    if path.is_file():
        return {"train": path}
    folders = [(p.name, p) for p in path.iterdir() if p.is_dir()]
    files = [(_split_name(p), p) for p in path.iterdir() if p.is_file() and _is_series(p)]
    return find_splits(path, folders + files) or {"train": path}


def read_recordings(path: Path, config: SeriesConfig) -> Recordings:
    """A file, or all files below a folder.

    Raises:
        DataError: nothing to read, or an unreadable file.
    """
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if _is_series(p))
        if not files:
            raise DataError(f"no series under {path}; expected files of {', '.join(ENDINGS)}")
        return concatenate([_read_file(p, config) for p in files], where=str(path))
    if not path.is_file():
        raise DataError(f"{path}: no such file or folder")
    return _read_file(path, config)


def _read_file(path: Path, config: SeriesConfig) -> Recordings:
    if path.suffix.lower() == ".ts":
        return read_ts(path)
    if path.suffix.lower() == ".npy":
        return read_npy(path)
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path}: cannot be read as series; expected one of {', '.join(ENDINGS)}")
    return read_table(path, config)


def _is_series(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not path.stem.lower().endswith(SIDECAR_ENDINGS)


def _split_name(path: Path) -> str:
    """The stem, or the end of it: .ts files may be called NAME_TRAIN."""
    end = path.stem.rpartition("_")[2]
    return end if path.suffix.lower() == ".ts" and split_named(end) else path.stem
