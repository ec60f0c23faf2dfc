"""What folders and files of splits are called, whatever they hold."""

import re
from collections.abc import Iterable
from pathlib import Path

from sslrun.config.errors import DataError

NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""In any case; the first is what we would write."""
_SHARD = re.compile(r"[-_.]\d+([-_.]of[-_.]\d+)?$")


def split_named(name: str) -> str | None:
    """The split that a folder's name stands for, or a file's without its ending; also a shard's, `train-00-of-02`."""
    bare = _SHARD.sub("", name.lower())
    return next((split for split, names in NAMES.items() if bare in names), None)


def refuse_parts(root: Path, names: Iterable[str]) -> None:
    """Where nothing is named train, all is train: what is named test must not be among it.

    Raises:
        DataError: some of the names stand for validation or test.
    """
    parts = sorted(name for name in names if split_named(name) in ("validation", "test"))
    if parts:
        raise DataError(
            f"{root} has {', '.join(parts[:3])}, and no train beside: it would be trained on; give each split a folder "
            "of its own: train/, val/, test/"
        )
