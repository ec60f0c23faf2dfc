"""What Hydra calls for each job: from its composed config to the command's function."""

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
    """Check the config, fix the run folder, call `sslrun.commands.<command>.run`.

    Returns:
        What a sweeper optimises: the command's number, where it has one.
    """
    composed: Any = HydraConfig.instance().cfg
    settings = composed.hydra
    folder = Path(settings.runtime.output_dir)
    try:
        refuse_idle_backbone(settings.overrides.task)
        checked = typed(command, config)
        checked.run.dir = str(folder)
        if outside := _launch_outside(command, checked, settings, folder):
            return outside[0]
        with read_write(settings), open_dict(settings):
            settings.run.dir = str(folder)
        # in single-run form: what Lightning's DDP launcher executes again for further ranks
        config_dirs = [f"--config-dir={d}" for d in config_dirs_of(arguments)]
        sys.argv = [sys.argv[0], command, *config_dirs, *settings.overrides.task]
        return run_command(command, checked)
    finally:
        remove_if_empty(folder)  # Hydra made it; it stays if something was written


def _launch_outside(command: str, checked: CommandConfig, hydra: DictConfig, folder: Path) -> list[float | None]:
    """Run a single job by `hydra/launcher=process|slurm`: its number in a list; an empty list where it runs here.

    Raises:
        ConfigError: a sweep over several devices in this one process, where the second run would not start.
    """
    single = hydra.mode is not RunMode.MULTIRUN
    launcher = hydra.runtime.choices["hydra/launcher"]
    if single and launcher in ("process", "slurm"):
        job = make_job(command, hydra.overrides.task, checked, hydra, folder=folder)
        return [launch_single(job, backend_of(hydra))]
    devices = getattr(getattr(checked, "trainer", None), "devices", 1)
    several = len(visible_gpus()) > 1 if devices == "auto" else devices > 1
    if not single and several and launcher == "basic":
        raise ConfigError(
            f"trainer.devices={devices} in a sweep: runs on several devices need processes of their own; "
            "add hydra/launcher=process, or trainer.devices=1"
        )
    return []


def remove_if_empty(folder: Path) -> None:
    """Remove an empty folder, and the empty folders above it as far as the working directory."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        for parent in folder.parents:
            if Path.cwd() not in parent.parents:
                break
            parent.rmdir()


def refuse_idle_backbone(overrides: list[str]) -> None:
    """Refuse `backbone=` with an encoder that brings its own, where it would be ignored."""
    encoder = next((o.split("=", 1)[1] for o in overrides if o.startswith("encoder=")), None)
    given = next((o for o in overrides if o.startswith("backbone")), None)
    if encoder not in (None, "random", "pixels") and given is not None:
        raise ConfigError(f"{given}: encoder={encoder} has its own backbone; it goes with encoder=random only")


def config_dirs_of(arguments: list[str]) -> list[str]:
    """Absolute paths given by --config-dir."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    return [str(Path(d).absolute()) for d in parser.parse_known_args(arguments)[0].config_dir]
