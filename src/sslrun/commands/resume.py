"""`sslrun resume RUN`: continue a run from its folder alone."""

import argparse
import importlib
from pathlib import Path

from sslrun.config.compose import load
from sslrun.runs.folder import read_manifest


def main(arguments: list[str]) -> None:
    """Run the folder's command again with its own configuration."""
    parser = argparse.ArgumentParser(prog="sslrun resume", description="Continue a run from its last checkpoint.")
    parser.add_argument("run", type=Path, help="a run folder")
    path = parser.parse_args(arguments).run.absolute()
    command = read_manifest(path)["command"]
    config = load(command, path / "config.yaml")
    config.run.dir = str(path)
    importlib.import_module(f"sslrun.commands.{command}").run(config)
