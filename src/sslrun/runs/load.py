"""Reading a run's manifest and configuration."""

from pathlib import Path
from typing import Any

from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import load
from sslrun.runs.manifest import read_manifest


def load_run(path: Path) -> tuple[dict[str, Any], CommandConfig]:
    """run.json and the typed configuration of a run.

    Raises:
        RunError: there is no run.json, or it is damaged.
    """
    manifest = read_manifest(path)
    return manifest, load(manifest["command"], path / "config.yaml")
