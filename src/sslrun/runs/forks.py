"""`run.on_change=fork`: a run that continues under another configuration in a folder of its own."""

import itertools
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sslrun.config.command.base import CommandConfig
from sslrun.config.run import OnChange
from sslrun.runs.changes import all_changes, changed_length, refuse_uncarried
from sslrun.runs.manifest import read_manifest
from sslrun.runs.newest import LAST, link_or_copy, newest

INHERITED = ("total_steps", "extended", "length", "seconds")


@dataclass(frozen=True)
class RunLocation:
    """The folder that a command works on.

    Attributes:
        fork_of: the folder from which this one is still to be made.
    """

    path: Path
    fork_of: Path | None = None


def find_location(command: str, config: CommandConfig) -> RunLocation:
    """`run.dir`, or, if it holds another configuration and a fork is asked for, the fork with exactly this one."""
    assert config.run.dir is not None
    path = Path(config.run.dir).absolute()
    if config.run.on_change is not OnChange.fork or not (path / "run.json").exists():
        return RunLocation(path)
    if read_manifest(path)["command"] != command:
        return RunLocation(path)  # refused when it is opened
    if not all_changes(command, config, path) and not changed_length(command, config, path):
        return RunLocation(path)
    for number in itertools.count(1):
        fork = path.with_name(f"{path.name}-fork{number}")
        if not (fork / "run.json").exists():
            refuse_uncarried(command, config, path)
            return RunLocation(fork, path)
        if not all_changes(command, config, fork, length=True):
            return RunLocation(fork)
    raise AssertionError


def copy_state(origin: Path, fork: Path) -> dict[str, Any]:
    """Give a new fork the checkpoints and metrics of `origin`, which is not changed.

    Returns:
        Fields of its run.json.
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
