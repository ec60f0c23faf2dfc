"""Labels as class indices, and digests of content, for datasets of every modality."""

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from sslrun.config.errors import DataError


def digest(*parts: object) -> str:
    """Hex digest of arrays (type, shape, content), bytes, and anything else by its `repr`."""
    content = hashlib.blake2b(digest_size=16)
    for part in parts:
        if isinstance(part, np.ndarray):
            content.update(f"{part.dtype.str}{part.shape}".encode())
            content.update(np.ascontiguousarray(part).data)
        else:
            content.update(part if isinstance(part, bytes) else repr(part).encode())
        content.update(b"\0")
    return content.hexdigest()


ClassesAndLabels = tuple[tuple[str, ...] | None, dict[str, np.ndarray | None]]
"""Names of the classes and (N,) int64 labels of each split; each None if there are none."""


def code_labels(values: Mapping[str, np.ndarray | None], *, names: tuple[str, ...] | None = None) -> ClassesAndLabels:
    """Labels as class indices; None for all splits if train has no labels.

    Args:
        values: (N,) numbers or strings of each split, or None.
        names: of the classes, if the file lists them; values are then indices, and a split with only -1 counts as
            unlabelled (the convention for hidden test labels). Otherwise the classes are train's values, sorted.

    Raises:
        DataError: a value that is not a class.
    """
    labels: dict[str, np.ndarray | None] = dict.fromkeys(values)
    known = {split: v for split, v in values.items() if v is not None}
    if "train" not in known:
        return None, labels
    if names is None:
        classes = tuple(str(v) for v in np.unique(known["train"]))
        return classes, labels | {s: encode_labels(v, classes=classes, where=s) for s, v in known.items()}
    for split, v in known.items():
        hidden = is_hidden(v)
        if not hidden and len(v) and (v.min() < 0 or v.max() >= len(names)):
            raise DataError(f"{split} has labels from {v.min()} to {v.max()}; there are {len(names)} classes")
        labels[split] = None if hidden else v.astype(np.int64)
    return (None, dict.fromkeys(values)) if labels["train"] is None else (names, labels)


def is_hidden(values: np.ndarray) -> bool:
    """Whether all (N,) class indices are -1, the convention for hidden test labels."""
    return len(values) > 0 and bool((values == -1).all())


def check_filled(
    cells: Sequence[Any], *, column: str, where: str, key: str = "label", rows: Iterable[int] | None = None
) -> None:
    """DataError naming the first of `rows` (None: all) with an empty cell, which would otherwise become a class."""
    row = next((i for i in (range(len(cells)) if rows is None else rows) if is_empty(cells[i])), None)
    if row is not None:
        raise DataError(
            f"dataset.{key}={column}: row {row} of {where} has no {key}; fill it in, or dataset.{key}=null for none"
        )


def is_empty(cell: Any) -> bool:
    """Whether a table cell is null, an empty string or NaN."""
    return cell is None or (isinstance(cell, str) and not cell) or (isinstance(cell, float) and math.isnan(cell))


def encode_labels(values: np.ndarray, *, classes: tuple[str, ...], where: str) -> np.ndarray:
    """Labels as indices into `classes`.

    Returns:
        (N,) int64.

    Raises:
        DataError: a value that train does not have.
    """
    position = {name: i for i, name in enumerate(classes)}
    try:
        return np.array([position[str(v)] for v in values], dtype=np.int64)
    except KeyError as error:
        raise DataError(f"{where}: label {error} is not among those of train: {', '.join(classes[:10])}") from error
