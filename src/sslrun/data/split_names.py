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
    """The split that a folder name or file stem denotes."""
    return next((split for split, names in NAMES.items() if name.lower() in names), None)


def find_splits(root: Path, candidates: Iterable[tuple[str, Path]]) -> dict[str, Path]:
    """The folder or file of each split, train first; empty without train, as then everything below `root` is train.

    Args:
        candidates: folders and files directly below `root`, each with its name or stem.

    Raises:
        DataError: two candidates for one split; or candidates for validation or test, also as shards
            (`test-00000-of-00002`), but none for train.
    """
    found: dict[str, Path] = {}
    held_out: list[str] = []
    for name, path in sorted(candidates):
        split = split_named(name)
        if split in found:
            raise DataError(f"{root}: both {found[split].name} and {path.name} could be {split}; rename or move one")
        if split is not None:
            found[split] = path
        elif path.is_file():
            split = split_named(_SHARD.sub("", name))
        if split in ("validation", "test"):
            held_out.append(path.name)
    if "train" in found:
        return {split: found[split] for split in NAMES if split in found}
    if held_out:
        raise DataError(
            f"{root} has {', '.join(held_out[:3])} but no train, so all of it would be trained on; give each split a "
            "folder of its own: train/, val/, test/"
        )
    return {}
