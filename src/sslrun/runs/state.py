"""What a run does now, judged by its folder and by SLURM, not by what it last wrote about itself."""

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any

from sslrun.core.locks import is_alive
from sslrun.runs.evidence import crashed, launched_anew, may_run, seen_held, stopped
from sslrun.runs.job import LOG, last_error, read_job
from sslrun.runs.manifest import manifest_or_failed
from sslrun.runs.queue import QueuePosition, SlurmQueue

KILLED = "killed; the same command continues it"
CRASHED = ("FAILED", "OUT_OF_MEMORY")
"""Endings by which SLURM says that the run itself was at fault."""


class State(Enum):
    """What a run does now."""

    queued = "queued"
    """Waits for its first start, for another try after a crash, or to be extended."""
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
        note: why it waits, or what ended it; one line, empty if there is nothing to say.
        over: whether nothing more will come of it by itself.
    """

    state: State
    note: str = ""
    over: bool = False


def is_run(folder: Path) -> bool:
    """Whether a folder holds a run, or one that is still to start."""
    return (folder / "run.json").is_file() or (folder / "job.json").is_file()


def standing(folder: Path, manifest: dict[str, Any], queue: SlurmQueue) -> Standing:
    """What the run of `folder` does now.

    Args:
        manifest: from `manifest_or_failed`.
    """
    found = _standing(folder, manifest, queue)
    if found.over and manifest.get("status") in (None, State.running.value):
        return _standing(folder, manifest_or_failed(folder), queue)  # it may have ended since it was read
    return found


def _standing(folder: Path, manifest: dict[str, Any], queue: SlurmQueue) -> Standing:
    status = manifest.get("status")
    record = read_job(folder) or {}
    anew = launched_anew(record, manifest)
    if status in (State.finished.value, State.pruned.value) and not anew:
        return _ended(folder, manifest)
    if manifest and seen_held(folder):
        return Standing(state=State.running)
    if record.get("launcher") == "slurm":
        position = queue.position(record["job"], record["task"])
        if position is not None:
            return _in_queue(folder, manifest, position)
        if queue.known:
            return _out_of_queue(folder, manifest, queue.ended(record["job"], record["task"]))
    elif anew and is_alive(int(record["job"])):
        return Standing(state=State.running, note="starting")
    if not manifest:
        return _not_begun(folder, record)
    if status != State.running.value:
        return _ended(folder, manifest)
    if may_run(folder, manifest):
        return Standing(state=State.running)
    return Standing(state=State.lost, note=KILLED, over=True)


def _in_queue(folder: Path, manifest: dict[str, Any], position: QueuePosition) -> Standing:
    """SLURM has its job."""
    status = manifest.get("status")
    if position.waits:
        error = manifest.get("last_error") if status == State.failed.value else None
        if status in (None, State.running.value) and crashed(folder, manifest):
            error = last_error(folder / LOG)
        if error:
            return Standing(state=State.queued, note=f"another try after: {error}")
        saved = status in (State.interrupted.value, State.running.value)
        return Standing(state=State.preempted if saved else State.queued, note=position.reason)
    if status in (None, State.running.value) or (position.works and _starts_anew(manifest, position)):
        return Standing(state=State.running, note="" if manifest else "starting")
    return replace(_ended(folder, manifest), over=False)


def _starts_anew(manifest: dict[str, Any], position: QueuePosition) -> bool:
    """Whether its job has started since the last session ended."""
    ended = stopped(manifest)
    return ended is not None and position.started is not None and ended <= position.started


def _out_of_queue(folder: Path, manifest: dict[str, Any], ending: str) -> Standing:
    """SLURM no longer has its job."""
    running = manifest.get("status") == State.running.value
    if not manifest or (running and (ending.startswith(CRASHED) or crashed(folder, manifest))):
        error = last_error(folder / LOG)
        return Standing(state=State.failed, note=f"{ending}: {error}" if ending else error, over=True)
    if running:
        return Standing(state=State.lost, note=f"{ending}; {KILLED}" if ending else KILLED, over=True)
    return _ended(folder, manifest)


def _not_begun(folder: Path, record: dict[str, Any]) -> Standing:
    """No run.json, and SLURM cannot tell."""
    if record.get("launcher") == "process":
        if is_alive(int(record["job"])):
            return Standing(state=State.running, note="starting")
        return Standing(state=State.failed, note=last_error(folder / LOG), over=True)
    return Standing(state=State.queued, note="SLURM cannot be asked here")


def _ended(folder: Path, manifest: dict[str, Any]) -> Standing:
    status = manifest["status"]
    if status in (State.finished.value, State.pruned.value, State.interrupted.value):
        return Standing(state=State(status), over=True)
    known = status == State.failed.value
    note = manifest.get("last_error") or (last_error(folder / LOG) if known else f"run.json has status '{status}'")
    return Standing(state=State.failed, note=note, over=True)
