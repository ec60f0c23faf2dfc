"""What the library `datasets` loads, whose Arrow files it maps: rows are read at any place and nothing is held."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError, DataError
from sslrun.data.labels import Coded, code_labels


def load_tables(kind: str, path: str, *, subset: str | None, options: Mapping[str, Any], train: str) -> dict[str, Any]:
    """The splits of a local folder, also one of `save_to_disk`, or of a hub name; of one table it is `train`.

    Raises:
        DataError: the library is absent or cannot load it, or it has no split `train`.
    """
    try:
        import datasets
    except ImportError as error:
        raise DataError(f"dataset={kind} needs the library `datasets`: pip install 'sslrun[hf]'") from error
    folder = Path(path).expanduser()
    saved = (folder / "dataset_dict.json").exists() or (folder / "state.json").exists()
    try:
        if saved:
            loaded: Any = datasets.load_from_disk(str(folder))
        else:
            loaded = datasets.load_dataset(str(folder) if folder.exists() else path, subset, **options)
    except Exception as error:  # the library raises its own, the hub's, requests' and builtin errors
        taken = "" if folder.exists() else " (no such folder, so taken for a name on the hub)"
        raise DataError(f"dataset.path={path} cannot be loaded{taken}: {str(error).splitlines()[0]}") from error
    tables = dict(loaded) if isinstance(loaded, dict) else {train: loaded}
    if train not in tables:
        raise DataError(
            f"dataset.train={train}: {path} has no such split{did_you_mean(train, tables)}; it has {', '.join(tables)}"
        )
    return tables


def validation_name(val: str | None, test: str | None, *, is_default: bool) -> str | None:
    """The split that is validation; None, so that it is cut off train, where a default has the name that is test's.

    Raises:
        ConfigError: `dataset.val` says the split that is test.
    """
    if val is None or val != test:
        return val
    if is_default:
        return None
    raise ConfigError(
        f"dataset.val={val} is the split that dataset.test has; name another one, or leave dataset.val out"
    )


def check_columns(table: Any, wanted: Mapping[str, str | None], *, path: str) -> None:
    """DataError where a column is absent; `wanted` are columns by their key in the configuration, None for none."""
    for key, column in wanted.items():
        if column is not None and column not in table.column_names:
            unlabelled = "; dataset.label=null for none" if key == "label" else ""
            raise DataError(
                f"dataset.{key}={column}: no such column in {path}{did_you_mean(column, table.column_names)}; "
                f"it has {', '.join(table.column_names)}{unlabelled}"
            )


def table_labels(tables: Mapping[str, Any], column: str | None) -> Coded:
    """Classes, and labels of each split."""
    if column is None:
        return None, dict.fromkeys(tables)
    values = {split: np.asarray(table.with_format(None)[column][:]) for split, table in tables.items()}
    names = getattr(tables["train"].features[column], "names", None)
    return code_labels(values, names=tuple(names) if names else None)
