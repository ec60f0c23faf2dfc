"""State of a trial's job, from its run folder: whether it is running, how it ended, its error."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from sslrun.config.errors import SslrunError
from sslrun.runs.evidence import may_be_running
from sslrun.runs.folder import is_held
from sslrun.runs.job import read_job
from sslrun.runs.manifest import manifest_or_empty, manifest_or_failed

POLL_SECONDS = 0.2


def wait_for_holder(folder: Path, *, taken_over: bool, stopping: Callable[[], bool]) -> None:
    """Wait while a job of a dead sweeper still works on the folder; SLURM's launcher handles its own jobs.

    Args:
        taken_over: whether the trial was started by another sweeper, whose locks may be invisible on this machine.
        stopping: whether to stop waiting.

    Raises:
        KeyboardInterrupt: `stopping` returned True.
    """
    while is_held(folder) or _starting(folder) or (taken_over and _may_be_running(folder)):
        if stopping():
            raise KeyboardInterrupt
        time.sleep(POLL_SECONDS)


def _may_be_running(folder: Path) -> bool:
    manifest = manifest_or_failed(folder)
    return manifest.get("status") == "running" and may_be_running(folder, manifest)


def _starting(folder: Path) -> bool:
    """Whether the folder's local job is alive; it acquires the lock some seconds after its start."""
    job = read_job(folder)
    if job is None or job["launcher"] != "process":
        return False
    try:
        arguments = Path(f"/proc/{int(job['job'])}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    return os.fsencode(str(folder)) in arguments


def status(folder: Path) -> str | None:
    """`status` of run.json; None if it is absent or unreadable."""
    found: str | None = manifest_or_empty(folder).get("status")
    return found


def last_error(error: BaseException | None, folder: Path) -> str:
    """One line: the run's own last error, else the launcher's."""
    manifest = manifest_or_empty(folder)
    if manifest.get("status") == "failed" and manifest.get("last_error"):
        return str(manifest["last_error"])
    cause = error.__context__ if isinstance(error, SystemExit) else error  # the command line converts errors to exits
    if cause is None:
        return "it ended without a message"
    line = " ".join(str(cause).split())
    return line if isinstance(cause, SslrunError) else f"{type(cause).__name__}: {line}"
