"""`sslrun resume RUN`: continue a run from nothing but its folder, from any working directory."""

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
    "dataset.path": re.compile(r"\.\.?/.*"),  # else it may be a name on the hub
    "dataset.train": re.compile(r".*[/.].*"),  # else it is the name of a split
    "dataset.val": re.compile(r".*[/.].*"),
    "dataset.test": re.compile(r".*[/.].*"),
}
"""Keys that may hold a path, and what one looks like there."""


def main(arguments: list[str]) -> None:
    """Run the folder's command again with its own configuration, where it was started."""
    parser = argparse.ArgumentParser(prog="sslrun resume", description="Continue a run from its last checkpoint.")
    parser.add_argument("run", type=Path, help="a run folder")
    path = parser.parse_args(arguments).run.absolute()
    manifest, config = load_run(path)
    config.run.dir, config.run.on_change, config.run.extend = str(path), OnChange.refuse, None
    sys.argv = [sys.argv[0], "resume", str(path)]  # what further ranks execute
    go_to(Path(manifest["cwd"]), config)
    run_command(manifest["command"], config)


def go_to(start: Path, config: CommandConfig) -> None:
    """Make `start`, the directory that the run was started in, the working directory: relative paths are from there.

    Raises:
        RunError: it is gone, and the configuration has a relative path that is not here either.
    """
    if start.is_dir():
        os.chdir(start)
        return
    settings: dict[str, Any] = flatten(plain(config))
    for key, form in PATHS.items():
        value = settings.get(key)
        if not isinstance(value, str) or not form.fullmatch(value) or Path(value).is_absolute():
            continue
        if not Path(value).exists():
            raise RunError(
                f"{key}={value} is relative to {start}, where the run was started, which does not exist any more; give "
                f"the run's command again with {key} as an absolute path and run.on_change=continue"
            )
