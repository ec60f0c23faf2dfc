"""The dataset's entry in run.json, and how the current dataset differs from it."""

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


def changes_since(recorded: Mapping[str, Any], data: Data, *, refuses: bool) -> list[str]:
    """Warnings if a run continues with a dataset that has changed.

    Args:
        recorded: the run's `data` entry; empty for a new run.
        refuses: raise if split sizes have changed.

    Raises:
        RunError: split sizes have changed, and `refuses`.
    """
    if not recorded or recorded["fingerprint"] == data.fingerprint or recorded["name"] != data.name:
        return []
    then, now = (", ".join(f"{of[split]:,} {split}" for split in SPLITS) for of in (recorded, describe_data(data)))
    if then == now:
        return [f"dataset={data.name}: files have changed since the run began"]
    change = f"dataset={data.name} has changed since the run began: {then} then, {now} now"
    if refuses:
        raise RunError(
            f"{change}; what was trained on may be test data now: bring the files back, choose another run.dir, or "
            "give run.on_change=continue"
        )
    return [change]


def parent_data_warnings(parent: Path, data: Data, *, same: bool) -> list[str]:
    """Warnings if an encoder's run used another version of the dataset, or other splits of it.

    Args:
        same: whether the dataset is configured as in that run.
    """
    recorded, now = manifest_if_any(parent).get("data") or {}, describe_data(data)
    if recorded.get("fingerprint") == now["fingerprint"] and recorded.get("cut", now["cut"]) != now["cut"]:
        return [
            f"{parent} was trained on the same data, cut into other splits: test items are among those that it saw; "
            "give the same dataset.split_seed, validation, test_share and limit"
        ]
    if same and recorded and any(recorded[split] != now[split] for split in SPLITS):
        return [
            f"dataset={data.name} has changed since {parent} was trained on it, so that test items may be among those "
            "that it saw"
        ]
    return []
