"""Differences between a run folder's configuration and the one to continue with."""

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
"""Keys that may change between two sessions of a run: the items of each global batch and their order stay the same."""
CHECKPOINT_KEYS = ("method.kind", "optimizer.kind", "trainer.accumulate")
"""Keys without which a checkpoint cannot be loaded if they change."""


def all_changes(command: str, config: CommandConfig, path: Path, *, length: bool = False) -> list[str]:
    """`key: old -> new` for every changed key that affects results.

    Args:
        length: whether to include the run's length.
    """
    old = plain(load(command, path / "config.yaml"))
    return differences(old, plain(config), ignore=MAY_DIFFER if length else (*MAY_DIFFER, *LENGTH))


def length_of(config: CommandConfig) -> dict[str, Any]:
    """The configuration of a run's length, by key; empty for commands without training."""
    return {key: value for key, value in flatten(plain(config)).items() if key in LENGTH}


def changed_length(command: str, config: CommandConfig, path: Path) -> bool:
    """Whether the configured length differs from the planned length of the folder's run."""
    return length_of(config) != _planned_length(command, path)


def refuse_changes(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if the folder's configuration differs in a key that affects results, or in the length."""
    if changed := all_changes(command, config, path):
        refuse_unloadable(command, config, path)  # first: on_change, which the error below advises, cannot help these
        if config.run.on_change is not OnChange["continue"]:
            raise RunError(
                f"run.dir={path} holds a run of another configuration ({'; '.join(changed)}); "
                "choose another run.dir, run.on_change=fork, or run.on_change=continue"
            )
    refuse_length(command, config, path)


def refuse_unloadable(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if a checkpoint of the folder cannot be loaded under `config`."""
    changed = [c for c in all_changes(command, config, path) if c.split(":", 1)[0] in CHECKPOINT_KEYS]
    if changed:
        raise RunError(
            f"{'; '.join(changed)}: the checkpoint of {path} cannot be loaded after this change; choose another run.dir"
            " for a new run"
        )


def refuse_length(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError if the length changed and run.extend does not say how to adapt the schedules."""
    if config.run.extend is not None or not changed_length(command, config, path):
        return
    old, new = _planned_length(command, path), length_of(config)
    manifest = read_manifest(path)
    asked = ", ".join(f"{k}: {old.get(k)} -> {v}" for k, v in new.items() if v != old.get(k))
    key = "trainer.epochs" if old["trainer.steps"] is None else "trainer.steps"
    if manifest["status"] == "finished" and new[key] is not None and new[key] < old[key]:
        raise RunError(f"run.dir={path} has finished with a greater length ({asked}); choose another run.dir")
    raise RunError(
        f"run.dir={path} was planned for another length ({asked}); say run.extend=stretch (schedules as if planned for "
        "the new length) or run.extend=restart (schedules restart over the added steps)"
    )


def _planned_length(command: str, path: Path) -> dict[str, Any]:
    planned: dict[str, Any] | None = read_manifest(path).get("length")
    return length_of(load(command, path / "config.yaml")) if planned is None else planned
