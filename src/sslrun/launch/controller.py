"""Calls to SLURM's controller, which may be unreachable for a while."""

import os
import re
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.errors import RunError
from sslrun.core.console import say

HELD = "JobHeldUser"
"""Pending reason of a job that was submitted but not released."""
TRIES, PAUSE_SECONDS = 30, 10.0
"""Attempts to reach the controller, and the pause between them."""
_UNREACHABLE = re.compile(r"unable to contact slurm controller|timed out|connection refused|zero bytes", re.IGNORECASE)


def queue(*, retry: bool = False) -> dict[str, str]:
    """Unfinished jobs of this user: `<array job>_<task>` -> pending reason.

    Args:
        retry: repeat until the controller answers; jobs continue without it.

    Raises:
        RunError: squeue is absent, or does not answer.
    """
    while True:
        answer = call(["squeue", "--noheader", "--array", "--me", "--format=%F_%K %r"])
        if answer.returncode == 0:
            return {task: reason for task, _, reason in (line.partition(" ") for line in answer.stdout.splitlines())}
        if not retry:
            raise RunError(f"squeue does not answer: {_line(answer.stderr)}")
        time.sleep(PAUSE_SECONDS)


def submit_held(script: Path) -> str:
    """Submit an array that is held until `release`.

    Returns:
        The job id.

    Raises:
        RunError: sbatch refuses, or is absent.
    """
    answer = _call_with_retries(["sbatch", "--parsable", "--hold", str(script)])
    if answer.returncode:
        raise RunError(f"sbatch refused {script}: {_line(answer.stderr)}")
    return answer.stdout.split(";")[0].strip()


def release(names: Sequence[str]) -> None:
    """Release held jobs or array tasks.

    Raises:
        RunError: scontrol refuses.
    """
    answer = _call_with_retries(["scontrol", "release", ",".join(names)])
    if answer.returncode:
        raise RunError(
            f"scontrol release {' '.join(names)}: {_line(answer.stderr)}; held until the same command releases them"
        )


def cancel(name: str) -> None:
    """Cancel a job; errors are ignored."""
    call(["scancel", name])


def call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a SLURM command, without the options that an enclosing job has set in the environment.

    Raises:
        RunError: the command is absent.
    """
    keep = ("SLURM_CONF",)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_")) or k in keep}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment)
    except FileNotFoundError as error:
        raise RunError(
            f"hydra/launcher=slurm: {command[0]} is not installed here; submit from a node with SLURM, or "
            "choose hydra/launcher=process"
        ) from error


def _call_with_retries(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """As `call`, for commands whose controller may be unreachable for some minutes."""
    for tried in range(1, TRIES + 1):
        answer = call(command)
        if answer.returncode == 0 or not _UNREACHABLE.search(answer.stderr):
            break
        if tried == 1:
            say(f"{_line(answer.stderr)}; trying again")
        if tried < TRIES:
            time.sleep(PAUSE_SECONDS)
    return answer


def _line(text: str) -> str:
    return " ".join(text.split())
