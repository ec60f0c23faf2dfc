"""What is asked of SLURM's controller, which may be away for a while."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.errors import RunError
from sslrun.core.console import say

HELD = "JobHeldUser"
"""Why a job waits that was submitted and not yet let go."""
TRIES, PAUSE_SECONDS = 30, 10.0
"""How often a command is given to a controller that is away."""
_AWAY = re.compile(r"unable to contact slurm controller|timed out|connection refused|zero bytes", re.IGNORECASE)


def queue(*, patient: bool = False) -> dict[str, str]:
    """Of every job of this user that is not over, `<array job>_<task>` and why it waits.

    Args:
        patient: ask until there is an answer; jobs continue without the controller.

    Raises:
        RunError: there is no squeue, or it does not answer.
    """
    while True:
        answer = call(["squeue", "--noheader", "--array", "--me", "--format=%F_%K %r"])
        if answer.returncode == 0:
            return {task: reason for task, _, reason in (line.partition(" ") for line in answer.stdout.splitlines())}
        if not patient:
            raise RunError(f"squeue does not answer: {_line(answer.stderr)}")
        time.sleep(PAUSE_SECONDS)


def submit_held(script: Path) -> str:
    """Submit an array that waits until `release`.

    Returns:
        The job's number.

    Raises:
        RunError: sbatch refuses, or is not there.
    """
    answer = _persist(["sbatch", "--parsable", "--hold", str(script)])
    if answer.returncode:
        raise RunError(f"sbatch refused {script}: {_line(answer.stderr)}")
    return answer.stdout.split(";")[0].strip()


def release(names: Sequence[str]) -> None:
    """Let held jobs, or tasks of them, start.

    Raises:
        RunError: scontrol refuses.
    """
    answer = _persist(["scontrol", "release", ",".join(names)])
    if answer.returncode:
        raise RunError(
            f"scontrol release {' '.join(names)}: {_line(answer.stderr)}; held until the same command releases them"
        )


def cancel(name: str) -> None:
    """Take a job out of the queue, where that can be done."""
    call(["scancel", name])


def call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command of SLURM's, without the options that a surrounding job has set in the environment.

    Raises:
        RunError: there is no such command.
    """
    keep = ("SLURM_CONF",)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_")) or k in keep}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment)
    except FileNotFoundError as error:
        raise RunError(
            f"hydra/launcher=slurm: there is no {command[0]} here; submit from a node that has SLURM's commands, or "
            "choose hydra/launcher=process"
        ) from error


def _persist(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """The answer of a controller that may be away for some minutes."""
    for tried in range(1, TRIES + 1):
        answer = call(command)
        if answer.returncode == 0 or not _AWAY.search(answer.stderr):
            break
        if tried == 1:
            say(f"{_line(answer.stderr)}; trying again")
        if tried < TRIES:
            time.sleep(PAUSE_SECONDS)
    return answer


def _line(text: str) -> str:
    return " ".join(text.split())
