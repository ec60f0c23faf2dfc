"""Datasets loaded by the library `datasets`: memory-mapped Arrow files with random access to rows."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.splits import SPLIT_KEYS
from sslrun.config.errors import ConfigError, DataError
from sslrun.data.labels import ClassesAndLabels, check_filled, code_labels

PRECEDENCE = ("train", "test", "validation")
"""Splits in the order in which they claim a name."""


def load_tables(kind: str, path: str, *, subset: str | None, options: Mapping[str, Any], train: str) -> dict[str, Any]:
    """The splits of a local folder (also from `save_to_disk`) or of a hub name; a single table becomes `train`.

    Raises:
        DataError: the library is missing or cannot load it, or there is no split `train`.
    """
    if Path(path).expanduser().is_file():
        raise DataError(f"dataset.path={path} is a file; name its folder, or use dataset=parquet dataset.train={path}")
    tables = load_splits(kind, path, subset=subset, options=options, train=train)
    if train not in tables:
        raise no_such_split(train, split="train", path=path, tables=tables)
    return tables


def load_splits(kind: str, path: str, *, subset: str | None, options: Mapping[str, Any], train: str) -> dict[str, Any]:
    """As `load_tables`, of whatever splits there are.

    Raises:
        DataError: the library is missing or cannot load it.
    """
    folder = Path(path).expanduser()
    if not folder.exists() and (path.startswith(("/", ".", "~")) or path.count("/") > 1):  # no name of the hub
        raise DataError(f"dataset.path={path}: no such file or folder")
    taken = "" if folder.exists() else " (no such file or folder, so taken for a name on the hub)"
    try:
        import datasets
    except ImportError as error:
        raise DataError(
            f"dataset.path={path}{taken}: dataset={kind} needs the library `datasets`: pip install 'sslrun[hf]'"
        ) from error
    try:
        if is_saved(folder):
            loaded: Any = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(str(folder) if folder.exists() else path, subset, **options)
    except Exception as error:  # the library raises its own, the hub's, requests' and builtin errors
        raise DataError(f"dataset.path={path} cannot be loaded{taken}: {str(error).splitlines()[0]}") from error
    return dict(loaded) if isinstance(loaded, dict) else {train: loaded}


def is_saved(folder: Path) -> bool:
    """Whether the library `datasets` has written the folder by `save_to_disk`."""
    return (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()


def split_names(config: Any, tables: Mapping[str, Any]) -> dict[str, str | None]:
    """The dataset's own names of train, validation and test, made distinct.

    Raises:
        ConfigError: a name that the user set is used twice.
        DataError: a name that the user set is not in `tables`.
    """
    names = config.named_splits
    chosen = [split for split in PRECEDENCE if names[split] != getattr(type(config), SPLIT_KEYS[split])]
    for split in chosen:
        if names[split] is not None and names[split] not in tables:
            raise no_such_split(names[split], split=split, path=config.path, tables=tables)
    return distinct(names, named=chosen)


def no_such_split(name: str, *, split: str, path: str, tables: Mapping[str, Any]) -> DataError:
    """The error for a split that a dataset lacks."""
    return DataError(
        f"dataset.{SPLIT_KEYS[split]}={name}: {path} has no such split{did_you_mean(name, tables)}; "
        f"it has {', '.join(tables)}"
    )


def distinct(names: Mapping[str, str | None], *, named: Sequence[str]) -> dict[str, str | None]:
    """The dataset's own name of each split; None for a default name that an earlier split already uses.

    Args:
        named: splits whose names the user set.

    Raises:
        ConfigError: a name that the user set is already used by an earlier split.
    """
    chosen: dict[str, str | None] = {}
    for split in PRECEDENCE:
        name = names[split]
        other = next((o for o, taken in chosen.items() if name is not None and taken == name), None)
        if other is not None and split in named:
            key, taken_by = SPLIT_KEYS[split], SPLIT_KEYS[other]
            raise ConfigError(
                f"dataset.{key}={name} is the split that dataset.{taken_by} has; name another one, or leave "
                f"dataset.{key} out"
            )
        chosen[split] = name if other is None else None
    return chosen


def check_columns(table: Any, wanted: Mapping[str, str | None], *, path: str) -> None:
    """DataError if a column is missing; `wanted` maps configuration keys to column names, or to None."""
    for key, column in wanted.items():
        if column is not None and column not in table.column_names:
            unlabelled = "; dataset.label=null for none" if key == "label" else ""
            raise DataError(
                f"dataset.{key}={column}: no such column in {path}{did_you_mean(column, table.column_names)}; "
                f"it has {', '.join(table.column_names)}{unlabelled}"
            )


def table_labels(tables: Mapping[str, Any], column: str | None) -> ClassesAndLabels:
    """Classes and the labels of each split.

    Raises:
        DataError: a row without a label.
    """
    if column is None:
        return None, dict.fromkeys(tables)
    cells = {split: table.with_format(None)[column][:] for split, table in tables.items()}
    for split, of_split in cells.items():
        check_filled(of_split, column=column, where=split)
    values = {split: np.asarray(of_split) for split, of_split in cells.items()}
    names = getattr(tables["train"].features[column], "names", None)
    return code_labels(values, names=tuple(names) if names else None)
