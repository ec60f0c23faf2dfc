"""What a run notes about its dataset, and how the present dataset differs from it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sslrun.config.dataset.splits import SPLITS
from sslrun.config.errors import RunError
from sslrun.data.base import Data
from sslrun.runs.manifest import manifest_if_any


def describe_data(data: Data) -> dict[str, Any]:
    """The `data` entry of run.json."""
    return {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "cut": data.cut_digest(),
        **{split: data.size(split) for split in SPLITS},
        "classes": len(data.classes) if data.classes else 0,
        "corrupt": sorted(set(data.corrupt)),
    }


def changed_since(known: Mapping[str, Any], data: Data, *, refuses: bool) -> list[str]:
    """Warnings if a run continues with data that changed since it noted them.

    Args:
        known: its `data` entry; empty for a run that has not begun.

    Raises:
        RunError: splits have other sizes, so that they were cut anew, and `refuses`.
    """
    if not known or known["fingerprint"] == data.fingerprint or known["name"] != data.name:
        return []
    then, now = (", ".join(f"{of[split]:,} {split}" for split in SPLITS) for of in (known, describe_data(data)))
    if then == now:
        return [f"dataset={data.name}: files have changed since the run began"]
    change = f"dataset={data.name} has changed since the run began: {then} then, {now} now"
    if refuses:
        raise RunError(
            f"{change}; what was trained on may be test data now: bring the files back, choose another run.dir, or "
            "give run.on_change=continue"
        )
    return [change]


def seen_otherwise(parent: Path, data: Data, *, same: bool) -> list[str]:
    """Warnings if the run of an encoder saw another state of the dataset, or cut it into other splits.

    Args:
        same: whether the dataset is that run's own, as it was configured there.
    """
    known, now = manifest_if_any(parent).get("data") or {}, describe_data(data)
    if known.get("fingerprint") == now["fingerprint"] and known.get("cut", now["cut"]) != now["cut"]:
        return [
            f"{parent} was trained on the same data, cut into other splits: test items are among those that it saw; "
            "give the same dataset.split_seed, validation, test_share and limit"
        ]
    if same and known and any(known[split] != now[split] for split in SPLITS):
        return [
            f"dataset={data.name} has changed since {parent} was trained on it, so that test items may be among those "
            "that it saw"
        ]
    return []
