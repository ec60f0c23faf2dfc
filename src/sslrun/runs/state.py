"""What a run does now, told from its folder and from SLURM, not from what it last wrote of itself."""

import errno
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path
from typing import Any

from sslrun.runs.folder import is_held
from sslrun.runs.job import LOG, last_error, read_record
from sslrun.runs.queue import Place, Queue

SILENT_SECONDS = 15 * 60
"""A run on a machine that cannot be asked is taken for lost after this long without a word."""
KILLED = "killed; the same command continues it"


class State(Enum):
    """What a run does now."""

    queued = "queued"
    """Waits for its first start, or for another try after a crash."""
    running = "running"
    preempted = "preempted"
    """Saved or was stopped, and is in the queue again."""
    interrupted = "interrupted"
    """Was asked to stop, and has saved."""
    failed = "failed"
    finished = "finished"
    pruned = "pruned"
    """Its sweep has ended it early."""
    lost = "lost"
    """Noted no end, and nobody works on it."""


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A run's state.

    Attributes:
        state: what it does now.
        note: why it waits, or what ended it; one line, empty where there is nothing to say.
        over: whether nothing more will come from it by itself.
    """

    state: State
    note: str = ""
    over: bool = False


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, or one that is still to start."""
    return (folder / "run.json").is_file() or (folder / "job.json").is_file()


def read_run(folder: Path) -> dict[str, Any]:
    """run.json; empty where there is none, and `failed` where it cannot be read."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        return {"status": "failed", "last_error": f"run.json cannot be read: {error}"}
    return manifest


def standing(folder: Path, manifest: dict[str, Any], queue: Queue) -> Standing:
    """What the run of `folder` does now.

    Args:
        manifest: from `read_run`.
    """
    status = manifest.get("status")
    if status in (State.finished.value, State.pruned.value):
        return Standing(state=State(status), over=True)
    record = read_record(folder) or {}
    if manifest and _held(folder):
        return Standing(state=State.running)
    if record.get("launcher") == "slurm":
        place = queue.place(record["job"], record["task"])
        if place is not None:
            return _in_queue(manifest, place)
        if queue.known:
            return _out_of_queue(folder, manifest, queue.ended(record["job"], record["task"]))
    if not manifest:
        return _not_begun(folder, record)
    if status == State.running.value:
        return _running_or_lost(folder, manifest)
    return _ended(folder, manifest)


def _in_queue(manifest: dict[str, Any], place: Place) -> Standing:
    """SLURM has its job."""
    status = manifest.get("status")
    error = manifest.get("last_error") or ""
    if place.waits and status in (State.interrupted.value, State.running.value):
        return Standing(state=State.preempted, note=place.reason)
    if place.waits:
        return Standing(state=State.queued, note=f"another try after: {error}" if error else place.reason)
    stopped = _stopped(manifest)
    if status in (None, State.running.value) or (place.works and _before(stopped, place.started)):
        return Standing(state=State.running, note="" if manifest else "starting")
    if status == State.interrupted.value:
        return Standing(state=State.interrupted)
    return Standing(state=State.failed, note=error)


def _out_of_queue(folder: Path, manifest: dict[str, Any], ending: str) -> Standing:
    """SLURM has its job no more."""
    if not manifest:
        told = last_error(folder / LOG)
        return Standing(state=State.failed, note=f"{ending}: {told}" if ending else told, over=True)
    if manifest["status"] == State.running.value:
        return Standing(state=State.lost, note=f"{ending}; {KILLED}" if ending else KILLED, over=True)
    return _ended(folder, manifest)


def _not_begun(folder: Path, record: dict[str, Any]) -> Standing:
    """No run.json, and SLURM cannot tell."""
    if record.get("launcher") == "process":
        if _alive(int(record["job"])):
            return Standing(state=State.running, note="starting")
        return Standing(state=State.failed, note=last_error(folder / LOG), over=True)
    return Standing(state=State.queued, note="SLURM cannot be asked here")


def _running_or_lost(folder: Path, manifest: dict[str, Any]) -> Standing:
    """run.json says that it runs, but nobody is seen to hold the folder: locks need not reach other machines."""
    here = manifest.get("host") == socket.gethostname()
    recent = time.time() - last_change(folder) < SILENT_SECONDS
    if recent and (not here or _alive(int(manifest.get("pid", 0)))):
        return Standing(state=State.running)
    return Standing(state=State.lost, note=KILLED, over=True)


def _ended(folder: Path, manifest: dict[str, Any]) -> Standing:
    status = manifest["status"]
    if status == State.interrupted.value:
        return Standing(state=State.interrupted, over=True)
    known = status == State.failed.value
    note = manifest.get("last_error") or (last_error(folder / LOG) if known else f"run.json has status '{status}'")
    return Standing(state=State.failed, note=note, over=True)


def last_change(folder: Path) -> float:
    """When the run last wrote something, in seconds since 1970; 0 where it never did."""
    times = [0.0]
    for name in ("run.json", "metrics.csv", LOG, "job.json"):
        try:
            times.append((folder / name).stat().st_mtime)
        except FileNotFoundError:
            continue
    return max(times)


def _held(folder: Path) -> bool:
    try:
        return is_held(folder)
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EACCES):  # no locks there, or not ours
            return False
        raise


def _alive(pid: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return pid > 0


def _stopped(manifest: dict[str, Any]) -> datetime | None:
    sessions = manifest.get("sessions") or [{}]
    text = sessions[-1].get("stopped")
    return None if text is None else datetime.fromisoformat(text)


def _before(stopped: datetime | None, started: datetime | None) -> bool:
    """Whether its job has started anew since the last session ended."""
    return stopped is not None and started is not None and stopped <= started
