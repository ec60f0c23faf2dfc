"""Names of split folders and files, for every modality."""

import re
from collections.abc import Iterable
from pathlib import Path

from sslrun.config.errors import DataError

NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing"),
}
"""Case-insensitive; the first name is the preferred one."""
_SHARD = re.compile(r"[-_.]\d+([-_.]of[-_.]\d+)?$")


def split_named(name: str) -> str | None:
    """The split that a folder name or file stem denotes, also with a shard suffix: `train-00-of-02`."""
    bare = _SHARD.sub("", name.lower())
    return next((split for split, names in NAMES.items() if bare in names), None)


def refuse_parts(root: Path, names: Iterable[str]) -> None:
    """Without a train folder everything below `root` is train; refuse test data among it.

    Raises:
        DataError: some of the names denote validation or test.
    """
    parts = sorted(name for name in names if split_named(name) in ("validation", "test"))
    if parts:
        raise DataError(
            f"{root} has {', '.join(parts[:3])} but no train, so all of it would be trained on; give each split a "
            "folder of its own: train/, val/, test/"
        )
