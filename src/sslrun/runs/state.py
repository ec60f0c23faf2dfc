"""Actual state of a run, inferred from its folder and SLURM rather than from the last status it wrote."""

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from sslrun.core.locks import is_alive
from sslrun.runs.evidence import appears_locked, crashed, may_be_running, relaunched, stopped_at
from sslrun.runs.job import LOG, last_error, read_job
from sslrun.runs.manifest import manifest_or_failed
from sslrun.runs.queue import QueuePosition, SlurmQueue

KILLED = "killed; the same command continues it"
CRASHED = ("FAILED", "OUT_OF_MEMORY")
"""SLURM job states that mean an error of the run itself."""


class State(Enum):
    """State of a run."""

    queued = "queued"
    """Waits for its first start, for a retry after a crash, or to be extended."""
    running = "running"
    preempted = "preempted"
    """Saved or was stopped, and was requeued."""
    interrupted = "interrupted"
    """Saved and stopped on request."""
    failed = "failed"
    finished = "finished"
    pruned = "pruned"
    """Ended early by its sweep's pruner."""
    lost = "lost"
    """Recorded no end, but no process works on it."""


@dataclass(frozen=True, kw_only=True)
class CurrentState:
    """State of a run with details.

    Attributes:
        note: why it waits, or what ended it; one line, may be empty.
        over: whether the run has ended and will not continue by itself.
    """

    state: State
    note: str = ""
    over: bool = False


def is_run(folder: Path) -> bool:
    """Whether a folder has a run, or a job that has not started."""
    return (folder / "run.json").is_file() or (folder / "job.json").is_file()


def current_state(folder: Path, manifest: dict[str, Any], queue: SlurmQueue) -> CurrentState:
    """State of the run in `folder`.

    Args:
        manifest: from `manifest_or_failed`.
    """
    found = _current_state(folder, manifest, queue)
    if found.over and manifest.get("status") in (None, State.running.value):
        return _current_state(folder, manifest_or_failed(folder), queue)  # it may have ended meanwhile
    return found


def _current_state(folder: Path, manifest: dict[str, Any], queue: SlurmQueue) -> CurrentState:
    status = manifest.get("status")
    record = read_job(folder) or {}
    was_relaunched = relaunched(record, manifest)
    if status in (State.finished.value, State.pruned.value) and not was_relaunched:
        return _ended(folder, manifest)
    if manifest and appears_locked(folder):
        return CurrentState(state=State.running)
    if record.get("launcher") == "slurm":
        position = queue.position(record["job"], record["task"])
        if position is not None:
            return _in_queue(folder, manifest, position)
        if queue.known:
            return _out_of_queue(folder, manifest, queue.ended(record["job"], record["task"]))
    elif was_relaunched and is_alive(int(record["job"])):
        return CurrentState(state=State.running, note="starting")
    if not manifest:
        return _not_begun(folder, record)
    if status != State.running.value:
        return _ended(folder, manifest)
    if may_be_running(folder, manifest):
        return CurrentState(state=State.running)
    return CurrentState(state=State.lost, note=KILLED, over=True)


def _in_queue(folder: Path, manifest: dict[str, Any], position: QueuePosition) -> CurrentState:
    """State of a run whose job is in SLURM's queue."""
    status = manifest.get("status")
    if position.waits:
        error = manifest.get("last_error") if status == State.failed.value else None
        if status in (None, State.running.value) and crashed(folder, manifest):
            error = last_error(folder / LOG)
        if error:
            return CurrentState(state=State.queued, note=f"retry after: {error}")
        saved = status in (State.interrupted.value, State.running.value)
        return CurrentState(state=State.preempted if saved else State.queued, note=position.reason)
    if status in (None, State.running.value) or (position.works and _starts_anew(manifest, position)):
        return CurrentState(state=State.running, note="" if manifest else "starting")
    return replace(_ended(folder, manifest), over=False)


def _starts_anew(manifest: dict[str, Any], position: QueuePosition) -> bool:
    """Whether the job has started since the last session ended."""
    ended = stopped_at(manifest)
    return ended is not None and position.started is not None and ended <= position.started


def _out_of_queue(folder: Path, manifest: dict[str, Any], ending: str) -> CurrentState:
    """State of a run whose job has left SLURM's queue."""
    running = manifest.get("status") == State.running.value
    if not manifest or (running and (ending.startswith(CRASHED) or crashed(folder, manifest))):
        error = last_error(folder / LOG)
        return CurrentState(state=State.failed, note=f"{ending}: {error}" if ending else error, over=True)
    if running:
        return CurrentState(state=State.lost, note=f"{ending}; {KILLED}" if ending else KILLED, over=True)
    return _ended(folder, manifest)


def _not_begun(folder: Path, record: dict[str, Any]) -> CurrentState:
    """State of a job without run.json that is not in a known SLURM queue."""
    if record.get("launcher") == "process":
        if is_alive(int(record["job"])):
            return CurrentState(state=State.running, note="starting")
        return CurrentState(state=State.failed, note=last_error(folder / LOG), over=True)
    return CurrentState(state=State.queued, note="SLURM is not reachable from here")


def _ended(folder: Path, manifest: dict[str, Any]) -> CurrentState:
    status = manifest["status"]
    if status in (State.finished.value, State.pruned.value, State.interrupted.value):
        return CurrentState(state=State(status), over=True)
    known = status == State.failed.value
    note = manifest.get("last_error") or (last_error(folder / LOG) if known else f"run.json has status '{status}'")
    return CurrentState(state=State.failed, note=note, over=True)
