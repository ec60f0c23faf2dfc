"""run.json, the manifest: who, what, when, where, and how it ended."""

import getpass
import json
import os
import platform
import secrets
import socket
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sslrun.config.errors import RunError
from sslrun.core.machine import cpu_name

SCHEMA_VERSION = 1
PACKAGES = ("sslrun", "torch", "torchvision", "pytorch-lightning", "timm", "albumentations", "hydra-core", "numpy")


def now() -> str:
    """UTC, ISO 8601, seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def new_manifest(command: str, *, parent: str | None) -> dict[str, Any]:
    """Initial contents of run.json."""
    return {
        "schema_version": SCHEMA_VERSION,
        "command": command,
        "status": "running",
        "created": now(),
        "finished": None,
        "seconds": 0.0,
        "parent": parent,
        "argv": sys.argv,
        "cwd": str(Path.cwd()),
        "user": _user(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "git": git_state(),
        "versions": versions(),
        "hardware": {"cpu": cpu_name(), "cores": os.cpu_count(), "platform": platform.platform()},
        "wandb_id": secrets.token_hex(6),
        "sessions": [],
    }


def read_manifest(path: Path) -> dict[str, Any]:
    """run.json of a folder; RunError if there is none or it is damaged."""
    try:
        manifest: dict[str, Any] = json.loads((path / "run.json").read_text())
    except FileNotFoundError as error:
        raise RunError(f"{path} is not a run folder: it has no run.json") from error
    except ValueError as error:
        raise RunError(f"{path / 'run.json'} is damaged: {error}") from error
    return manifest


def manifest_if_any(path: Path) -> dict[str, Any]:
    """run.json of a folder, empty if there is none; RunError if it is damaged."""
    return read_manifest(path) if (path / "run.json").is_file() else {}


def manifest_or_empty(path: Path) -> dict[str, Any]:
    """run.json of a folder, empty if it is absent or unreadable: for observers, which must not fail."""
    try:
        return manifest_if_any(path)
    except (OSError, RunError):
        return {}


def manifest_or_failed(path: Path) -> dict[str, Any]:
    """run.json of a folder, empty if there is none; if it is unreadable, a manifest of a failed run."""
    try:
        manifest: dict[str, Any] = json.loads((path / "run.json").read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return {"status": "failed", "last_error": f"run.json cannot be read: {error}"}
    return manifest


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that affect results."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def git_state() -> dict[str, Any] | None:
    """Commit of the working directory and whether it is dirty; None outside a repository or without git."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5)
        status = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, timeout=5)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if commit.returncode != 0:
        return None
    return {"commit": commit.stdout.strip(), "dirty": bool(status.stdout.strip())}


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # no user name, as in containers
        return str(os.getuid())
