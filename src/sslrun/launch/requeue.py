"""Requeueing of a SLURM job from inside the job."""

from sslrun.config.errors import RunError
from sslrun.core.console import say
from sslrun.launch.controller import call
from sslrun.runs.job import slurm_job


def requeue(signal_name: str) -> bool:
    """Requeue this process's SLURM job, after a checkpoint, unless it was cancelled.

    SIGUSR1 precedes the time limit. SIGTERM comes from preemption, after which a job that exits by itself would count
    as completed; but also from scancel, after which the job must not be requeued.

    Returns:
        Whether it was requeued.
    """
    name = slurm_job()
    if name is None or signal_name not in ("SIGUSR1", "SIGTERM"):
        return False
    fields = _fields(name)
    if fields.get("BatchFlag") != "1" or fields.get("Requeue") != "1" or fields.get("JobState") != "RUNNING":
        return False
    if signal_name == "SIGTERM" and fields.get("PreemptTime", "None") == "None":
        return False
    return call(["scontrol", "requeue", name]).returncode == 0


def _fields(name: str) -> dict[str, str]:
    """Fields of `scontrol show job`; empty, with the reason on stderr, if that fails, as in containers."""
    try:
        answer = call(["scontrol", "show", "job", name])
        reason = " ".join(answer.stderr.split()) if answer.returncode else None
    except RunError:
        reason = "scontrol is not installed here"
    if reason is not None:
        say(f"cannot requeue SLURM job {name}: {reason}")
        return {}
    return dict(word.split("=", 1) for word in answer.stdout.split() if "=" in word)
