"""State of SLURM's queue: one query for all runs, and one more per job that has left the queue."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

TIMEOUT_SECONDS = 10.0
WAITING = ("PENDING", "REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT")
LEAVING = ("COMPLETING", "STAGE_OUT", "SIGNALING")
ENDED_WELL = ("COMPLETED",)


@dataclass(frozen=True)
class QueuePosition:
    """A job's position in the queue.

    Attributes:
        state: squeue's name of it.
        reason: why it waits.
        started: time of its latest start; None while it waits.
    """

    state: str
    reason: str = ""
    started: datetime | None = None

    @property
    def waits(self) -> bool:
        """Whether it will start or restart."""
        return self.state in WAITING

    @property
    def works(self) -> bool:
        """Whether it has a node and is not about to leave it."""
        return not self.waits and self.state not in LEAVING


class SlurmQueue:
    """Jobs of the owners of some run folders; queried lazily."""

    def __init__(self, folders: Iterable[Path]) -> None:
        self._users: set[int] = set()
        self._positions: dict[str, QueuePosition] | None = None
        self._known = False
        self._ended: dict[str, str] = {}
        self._queried: set[str] = set()
        self.refresh(folders)

    def refresh(self, folders: Iterable[Path]) -> None:
        """Query again at the next access, for the owners of `folders`; ended jobs stay cached."""
        self._users = {folder.stat().st_uid for folder in folders if folder.exists()}
        self._positions = None
        self._queried.clear()

    @property
    def known(self) -> bool:
        """Whether SLURM answers on this machine."""
        self._ask()
        return self._known

    def position(self, job: str, task: int | None) -> QueuePosition | None:
        """Position of a job; None if it is not in the queue, or SLURM does not answer."""
        return self._ask().get(_name(job, task))

    def ended(self, job: str, task: int | None) -> str:
        """How a job that has left the queue ended: `TIMEOUT`, `FAILED, exit code 1`; empty if it completed or SLURM no
        longer knows it."""
        if _name(job, task) not in self._ended:
            if self.known and job not in self._queried:
                self._queried.add(job)
                self._ended |= _endings(job)
            self._ended.setdefault(_name(job, task), "")
        return self._ended[_name(job, task)]

    def _ask(self) -> dict[str, QueuePosition]:
        if self._positions is None:
            self._positions = {}
            users = ",".join(map(str, sorted(self._users)))
            text = _call("squeue", "-h", "-r", "-u", users, "-o", "%F|%K|%T|%S|%r")
            self._known = text is not None
            for line in (text or "").splitlines():
                job, task, state, started, reason = [*line.split("|", 4), "", "", "", ""][:5]
                position = QueuePosition(state, "" if reason == "None" else reason, _time(started))
                self._positions[_name(job, int(task) if task.isdigit() else None)] = position
        return self._positions


def _endings(job: str) -> dict[str, str]:
    """Endings of all tasks of an array, or of a single job."""
    found = {}
    for line in (_call("scontrol", "-o", "show", "job", job) or "").splitlines():
        fields = dict(re.findall(r"(\w+)=(\S*)", line))
        state, code = fields.get("JobState", ""), fields.get("ExitCode", "").partition(":")[0]
        if not state or state in ("RUNNING", *WAITING, *LEAVING):
            continue
        task = fields.get("ArrayTaskId", "")
        number = int(task) if task.isdigit() else None
        text = f"{state}, exit code {code}" if state == "FAILED" and code not in ("", "0") else state
        found[_name(job, number)] = "" if state in ENDED_WELL else text
    return found


def _call(program: str, *arguments: str) -> str | None:
    """Output of a program; None if it is absent, fails or times out."""
    if shutil.which(program) is None:
        return None
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SQUEUE_")}  # they change the output
    try:
        answer = subprocess.run(
            [program, *arguments], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, env=environment
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout if answer.returncode == 0 else None


def _name(job: str, task: int | None) -> str:
    return job if task is None else f"{job}_{task}"


def _time(text: str) -> datetime | None:
    """SLURM prints local times without a time zone."""
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError:
        return None
