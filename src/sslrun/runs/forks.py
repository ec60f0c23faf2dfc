"""`run.on_change=fork`: continue a run under another configuration in a new folder."""

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslrun.config.command.base import CommandConfig
from sslrun.config.run import OnChange
from sslrun.runs.changes import all_changes, changed_length, refuse_unloadable
from sslrun.runs.manifest import read_manifest
from sslrun.runs.newest import LAST, link_or_copy, newest

INHERITED = ("total_steps", "extended", "length", "seconds")


@dataclass(frozen=True)
class RunLocation:
    """The run folder of a command.

    Attributes:
        fork_of: the folder to fork, if this one does not exist yet.
    """

    path: Path
    fork_of: Path | None = None


def find_location(command: str, config: CommandConfig) -> RunLocation:
    """`run.dir`, or with on_change=fork and another configuration in it, the fork with exactly this configuration."""
    assert config.run.dir is not None
    path = Path(config.run.dir).absolute()
    if config.run.on_change is not OnChange.fork or not (path / "run.json").exists():
        return RunLocation(path)
    if read_manifest(path)["command"] != command:
        return RunLocation(path)  # open_run refuses it
    if not all_changes(command, config, path) and not changed_length(command, config, path):
        return RunLocation(path)
    for number in itertools.count(1):
        fork = path.with_name(f"{path.name}-fork{number}")
        if not (fork / "run.json").exists():
            refuse_unloadable(command, config, path)
            return RunLocation(fork, path)
        if not all_changes(command, config, fork, length=True):
            return RunLocation(fork)
    raise AssertionError


def copy_state(origin: Path, fork: Path) -> dict[str, Any]:
    """Copy checkpoints and metrics of `origin` to a new fork; `origin` is not changed.

    Returns:
        Fields for the fork's run.json.
    """
    taken = newest(origin / "checkpoints")
    if taken is not None:
        link_or_copy(taken.path, fork / "checkpoints" / LAST)
        if (best := origin / "checkpoints" / "best.ckpt").exists():
            link_or_copy(best, fork / "checkpoints" / best.name)
    if (metrics := origin / "metrics.csv").exists():
        shutil.copyfile(metrics, fork / metrics.name)
    manifest = read_manifest(origin)
    return {
        **{key: manifest[key] for key in INHERITED if key in manifest},
        "parent": str(origin),
        "forked_at": 0 if taken is None else taken.step,
    }
