"""What a run's folder and its machine show about it, besides the status that it wrote itself."""

import socket
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from sslrun.core.locks import is_alive
from sslrun.runs.folder import is_held
from sslrun.runs.job import LOG

CRASHES = "crashes.txt"
SILENT_SECONDS = 15 * 60
"""A run on a machine that cannot be asked counts as lost after this long without a sign of life."""


def last_change(folder: Path) -> float:
    """When the run last wrote something, in seconds since 1970; 0 if it never did."""
    times = [0.0]
    for name in ("run.json", "metrics.csv", LOG, "job.json"):
        try:
            times.append((folder / name).stat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times)


def seen_held(folder: Path) -> bool:
    """Whether a process is seen to work on the folder; locks may not reach other machines."""
    try:
        return is_held(folder)
    except PermissionError:  # another user's
        return False


def may_run(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a run that noted no end may be at work though nobody is seen to hold its folder."""
    here = manifest.get("host") == socket.gethostname()
    recent = time.time() - last_change(folder) < SILENT_SECONDS
    return recent and (not here or is_alive(int(manifest.get("pid", 0))))


def stopped(manifest: dict[str, Any]) -> datetime | None:
    """When the latest session ended; None if it noted no end."""
    return _moment(manifest, "stopped")


def launched_anew(record: dict[str, Any], manifest: dict[str, Any]) -> bool:
    """Whether its job was launched after the run's end, as where it is extended.

    Args:
        record: job.json.
    """
    ended, submitted = stopped(manifest), record.get("submitted")
    return ended is not None and submitted is not None and datetime.fromisoformat(submitted) > ended


def crashed(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether the job's script saw the latest session crash, or its last try before there was one."""
    try:
        latest = (folder / CRASHES).read_text().split("\n")[-2]
        moment = datetime.fromisoformat(latest.split()[0])
    except (OSError, IndexError, ValueError):
        return False
    started = _moment(manifest, "started")
    return started is None or moment >= started


def _moment(manifest: dict[str, Any], key: str) -> datetime | None:
    """A time of the latest session."""
    text = (manifest.get("sessions") or [{}])[-1].get(key)
    return None if text is None else datetime.fromisoformat(text)
