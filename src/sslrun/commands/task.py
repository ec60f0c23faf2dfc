"""Hydra's task function: from a job's composed config to the command's function."""

import argparse
import contextlib
import sys
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, open_dict, read_write

from sslrun.commands.ending import run_command
from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import typed
from sslrun.config.errors import ConfigError
from sslrun.launch.process import visible_gpus
from sslrun.launch.sweep import backend_of, launch_single, make_job


def run_task(command: str, arguments: list[str], config: DictConfig) -> float | None:
    """Check the config, set the run folder, call `sslrun.commands.<command>.run`.

    Returns:
        The command's main result, which a sweeper optimises; None if it has none.
    """
    composed: Any = HydraConfig.instance().cfg
    settings = composed.hydra
    folder = Path(settings.runtime.output_dir)
    try:
        refuse_idle_backbone(settings.overrides.task)
        checked = typed(command, config)
        checked.run.dir = str(folder)
        if launched := _launch(command, checked, settings, folder):
            return launched[0]
        with read_write(settings), open_dict(settings):
            settings.run.dir = str(folder)
        # as a single run: Lightning's DDP launcher executes this for further ranks
        config_dirs = [f"--config-dir={d}" for d in config_dirs_of(arguments)]
        sys.argv = [sys.argv[0], command, *config_dirs, *settings.overrides.task]
        return run_command(command, checked)
    finally:
        remove_if_empty(folder)  # created by Hydra


def _launch(command: str, checked: CommandConfig, hydra: DictConfig, folder: Path) -> list[float | None]:
    """Run a single job with `hydra/launcher=process|slurm`: [its main result]; [] if it should run in this process.

    Raises:
        ConfigError: a sweep of multi-device runs in this process, where the second run would not start.
    """
    is_single = hydra.mode is not RunMode.MULTIRUN
    launcher = hydra.runtime.choices["hydra/launcher"]
    if is_single and launcher in ("process", "slurm"):
        job = make_job(command, hydra.overrides.task, checked, hydra, folder=folder)
        return [launch_single(job, backend_of(hydra))]
    devices = getattr(getattr(checked, "trainer", None), "devices", 1)
    is_multi_device = len(visible_gpus()) > 1 if devices == "auto" else devices > 1
    if not is_single and is_multi_device and launcher == "basic":
        raise ConfigError(
            f"trainer.devices={devices} in a sweep: runs on several devices need processes of their own; "
            "add hydra/launcher=process, or trainer.devices=1"
        )
    return []


def discard_sweep(folder: Path) -> None:
    """Remove the folder of a sweep in which no run has begun, so that it holds only Hydra's multirun.yaml."""
    if folder.is_dir() and [path.name for path in folder.iterdir()] == ["multirun.yaml"]:
        (folder / "multirun.yaml").unlink()
        remove_if_empty(folder)


def remove_if_empty(folder: Path) -> None:
    """Remove a folder if it is empty, and then its empty parents below the working directory."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        for parent in folder.parents:
            if Path.cwd() not in parent.parents:
                break
            parent.rmdir()


def refuse_idle_backbone(overrides: list[str]) -> None:
    """Raise ConfigError for `backbone=` with an encoder that has its own backbone."""
    encoder = next((o.split("=", 1)[1] for o in overrides if o.startswith("encoder=")), None)
    given = next((o for o in overrides if o.startswith("backbone")), None)
    if encoder not in (None, "random", "pixels") and given is not None:
        raise ConfigError(f"{given}: encoder={encoder} has its own backbone; it goes with encoder=random only")


def config_dirs_of(arguments: list[str]) -> list[str]:
    """Absolute paths of --config-dir."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    return [str(Path(d).absolute()) for d in parser.parse_known_args(arguments)[0].config_dir]
