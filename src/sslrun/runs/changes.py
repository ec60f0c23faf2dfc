"""What differs between a run folder's configuration and the one it is asked to continue with."""

from pathlib import Path
from typing import Any

from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import differences, flatten, load, plain
from sslrun.config.errors import RunError
from sslrun.config.run import OnChange
from sslrun.runs.length import KEYS as LENGTH
from sslrun.runs.manifest import read_manifest

MAY_DIFFER = (
    "run", "logger", "loader.workers", "trainer.devices", "trainer.num_nodes", "trainer.strategy", "trainer.max_time",
    "trainer.checkpoint_minutes", "trainer.checkpoint_steps", "trainer.keep_checkpoints", "augmentation.modalities",
)  # fmt: skip
"""Keys that may change between two sessions of one run: the data order of the global batch stays."""
NOT_CARRIED = ("method.kind", "optimizer.kind", "trainer.accumulate")
"""Keys to which a checkpoint is bound."""


def all_changes(command: str, config: CommandConfig, path: Path, *, length: bool = False) -> list[str]:
    """`key: old -> new` of every key that numbers depend on.

    Args:
        length: whether the run's length counts too.
    """
    old = plain(load(command, path / "config.yaml"))
    return differences(old, plain(config), ignore=MAY_DIFFER if length else (*MAY_DIFFER, *LENGTH))


def length_of(config: CommandConfig) -> dict[str, Any]:
    """The keys of a run's length and their values; empty for commands that train nothing."""
    return {key: value for key, value in flatten(plain(config)).items() if key in LENGTH}


def changed_length(command: str, config: CommandConfig, path: Path) -> bool:
    """Whether the length asked for differs from that planned for the folder's run."""
    return length_of(config) != _known_length(command, path)


def refuse_changes(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if the folder's configuration differs in a key that numbers depend on, or in the length."""
    if changed := all_changes(command, config, path):
        refuse_uncarried(command, config, path)  # first: what is advised for the rest would refuse these
        if config.run.on_change is not OnChange["continue"]:
            raise RunError(
                f"run.dir={path} holds a run of another configuration ({'; '.join(changed)}); "
                "choose another run.dir, run.on_change=fork, or run.on_change=continue"
            )
    refuse_length(command, config, path)


def refuse_uncarried(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if a checkpoint of the folder cannot be loaded under `config`."""
    stuck = [c for c in all_changes(command, config, path) if c.split(":", 1)[0] in NOT_CARRIED]
    if stuck:
        raise RunError(
            f"{'; '.join(stuck)}: the checkpoint of {path} does not fit that; choose another run.dir for a new run"
        )


def refuse_length(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if another length is asked for without saying what becomes of the schedules."""
    if config.run.extend is not None or not changed_length(command, config, path):
        return
    old, new = _known_length(command, path), length_of(config)
    manifest = read_manifest(path)
    asked = ", ".join(f"{k}: {old.get(k)} -> {v}" for k, v in new.items() if v != old.get(k))
    key = "trainer.epochs" if old["trainer.steps"] is None else "trainer.steps"
    if manifest["status"] == "finished" and new[key] is not None and new[key] < old[key]:
        raise RunError(f"run.dir={path} has finished, longer than is asked for now ({asked}); choose another run.dir")
    raise RunError(
        f"run.dir={path} was planned for another length ({asked}); say run.extend=stretch (schedules as if planned for "
        "the new length) or run.extend=restart (schedules anew over the added steps)"
    )


def _known_length(command: str, path: Path) -> dict[str, Any]:
    known: dict[str, Any] | None = read_manifest(path).get("length")
    return length_of(load(command, path / "config.yaml")) if known is None else known
