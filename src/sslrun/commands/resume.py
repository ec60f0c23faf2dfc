"""`sslrun resume RUN`: continue a run, given only its folder, from any working directory."""

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

from sslrun.commands.ending import run_command
from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import flatten, plain
from sslrun.config.errors import RunError
from sslrun.config.run import OnChange
from sslrun.runs.load import load_run

PATHS = {
    "encoder": re.compile(r".*/.*"),
    "backbone.pretrained": re.compile(r".*/.*"),
    "dataset.root": re.compile(r".+"),
    "dataset.path": re.compile(r"\.\.?/.*"),  # otherwise it may be a name on the hub
    "dataset.train": re.compile(r".*[/.].*"),  # otherwise it is the name of a split
    "dataset.val": re.compile(r".*[/.].*"),
    "dataset.test": re.compile(r".*[/.].*"),
}
"""Keys that may hold a path -> pattern of values that are paths."""


def main(arguments: list[str]) -> None:
    """Run the folder's command again with its configuration and original working directory."""
    parser = argparse.ArgumentParser(prog="sslrun resume", description="Continue a run from its last checkpoint.")
    parser.add_argument("run", type=Path, help="a run folder")
    path = parser.parse_args(arguments).run.absolute()
    manifest, config = load_run(path)
    config.run.dir, config.run.on_change, config.run.extend = str(path), OnChange.refuse, None
    sys.argv = [sys.argv[0], "resume", str(path)]  # executed by further ranks
    restore_working_directory(Path(manifest["cwd"]), config)
    run_command(manifest["command"], config)


def restore_working_directory(start: Path, config: CommandConfig) -> None:
    """Change to `start`, the directory in which the run was started: the configuration's relative paths refer to it.

    Raises:
        RunError: it no longer exists, and the configuration has a relative path that does not exist here either.
    """
    if start.is_dir():
        os.chdir(start)
        return
    settings: dict[str, Any] = flatten(plain(config))
    for key, pattern in PATHS.items():
        value = settings.get(key)
        if not isinstance(value, str) or not pattern.fullmatch(value) or Path(value).is_absolute():
            continue
        if not Path(value).exists():
            raise RunError(
                f"{key}={value} is relative to {start}, where the run was started, which no longer exists; give "
                f"the run's command again with {key} as an absolute path and run.on_change=continue"
            )
