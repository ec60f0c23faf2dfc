"""What Hydra calls for each job: from its composed config to the command's function."""

import argparse
import contextlib
import importlib
import sys
from pathlib import Path
from typing import Any

import yaml
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict, read_write

from sslrun.config.compose import typed
from sslrun.config.errors import ConfigError


def run_task(command: str, arguments: list[str], config: DictConfig) -> float | None:
    """Check the config, fix the run folder, call `sslrun.commands.<command>.run`.

    Returns:
        What a sweeper optimises: the command's number, where it has one.
    """
    composed: Any = HydraConfig.instance().cfg
    settings = composed.hydra
    folder = Path(settings.runtime.output_dir)
    try:
        refuse_contradiction(settings)
        checked = typed(command, config)
        checked.run.dir = str(folder)
        with read_write(settings), open_dict(settings):
            settings.run.dir = str(folder)
        # in single-run form: what Lightning's DDP launcher executes again for further ranks
        config_dirs = [f"--config-dir={d}" for d in config_dirs_of(arguments)]
        sys.argv = [sys.argv[0], command, *config_dirs, *settings.overrides.task]
        result: float | None = importlib.import_module(f"sslrun.commands.{command}").run(checked)
        return result
    finally:
        remove_if_empty(folder)  # Hydra made it; it stays if something was written


def remove_if_empty(folder: Path) -> None:
    """Remove an empty folder, and the empty folders above it as far as the working directory."""
    with contextlib.suppress(OSError):
        folder.rmdir()
        for parent in folder.parents:
            if Path.cwd() not in parent.parents:
                break
            parent.rmdir()


def refuse_contradiction(settings: Any) -> None:
    """`experiment=X method=Y`, where X is another method's recipe, is refused: it would be neither."""
    choices = settings.runtime.choices
    experiment = choices.get("experiment")
    asked = [o.split("=", 1)[1] for o in settings.overrides.task if o.startswith("method=")]
    if not experiment or not asked:
        return
    stated = experiment_method(experiment, settings.runtime.config_sources)
    if stated is not None and stated != asked[-1]:
        raise ConfigError(
            f"experiment={experiment} is a recipe of method={stated}, but method={asked[-1]} was asked; "
            "leave one of the two away"
        )


def experiment_method(experiment: str, sources: Any) -> str | None:
    """The `override /method:` of an experiment's YAML, read from the first config source that has it."""
    for source in sources:
        path = Path(str(source.path)) / "experiment" / f"{experiment}.yaml"
        if source.schema == "file" and path.is_file():
            for item in (yaml.safe_load(path.read_text()) or {}).get("defaults", []):
                if isinstance(item, dict) and "override /method" in item:
                    return str(item["override /method"])
    return None


def config_dirs_of(arguments: list[str]) -> list[str]:
    """Absolute paths given by --config-dir."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", action="append", default=[])
    return [str(Path(d).absolute()) for d in parser.parse_known_args(arguments)[0].config_dir]
