"""Evidence for the state of a run beyond the status in its run.json: locks, processes, file times."""

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
"""A run whose process cannot be checked from here counts as lost after this long without writing a file."""


def last_change(folder: Path) -> float:
    """Time of the run's last write, in seconds since 1970; 0 if it never wrote."""
    times = [0.0]
    for name in ("run.json", "metrics.csv", LOG, "job.json"):
        try:
            times.append((folder / name).stat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times)


def appears_locked(folder: Path) -> bool:
    """Whether a process visibly holds the folder's lock; locks may not work across machines."""
    try:
        return is_held(folder)
    except PermissionError:  # another user's
        return False


def may_be_running(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether a run with status `running` may still be active although no lock is visible."""
    here = manifest.get("host") == socket.gethostname()
    recent = time.time() - last_change(folder) < SILENT_SECONDS
    return recent and (not here or is_alive(int(manifest.get("pid", 0))))


def stopped_at(manifest: dict[str, Any]) -> datetime | None:
    """End of the latest session; None if it recorded none."""
    return _session_time(manifest, "stopped")


def relaunched(record: dict[str, Any], manifest: dict[str, Any]) -> bool:
    """Whether the job was submitted after the run's end, e.g. to extend it.

    Args:
        record: job.json.
    """
    ended, submitted = stopped_at(manifest), record.get("submitted")
    return ended is not None and submitted is not None and datetime.fromisoformat(submitted) > ended


def crashed(folder: Path, manifest: dict[str, Any]) -> bool:
    """Whether the job script recorded a crash of the latest session, or of the last start if there was no session."""
    try:
        latest = (folder / CRASHES).read_text().split("\n")[-2]
        crashed_at = datetime.fromisoformat(latest.split()[0])
    except (OSError, IndexError, ValueError):
        return False
    started = _session_time(manifest, "started")
    return started is None or crashed_at >= started


def _session_time(manifest: dict[str, Any], key: str) -> datetime | None:
    """A timestamp of the latest session."""
    text = (manifest.get("sessions") or [{}])[-1].get(key)
    return None if text is None else datetime.fromisoformat(text)
