"""A job of SLURM's that asks, from inside, to come back."""

from sslrun.config.errors import RunError
from sslrun.core.console import say
from sslrun.launch.controller import call
from sslrun.runs.job import slurm_job


def requeue(signal_name: str) -> bool:
    """Put this process's SLURM job into the queue again, after a checkpoint, where its end was not meant.

    SIGUSR1 comes before the time limit. SIGTERM comes from a preemption, after which a job that ends by itself would
    count as completed; but also from scancel, after which the job must not come back.

    Returns:
        Whether it was put into the queue.
    """
    name = slurm_job()
    if name is None or signal_name not in ("SIGUSR1", "SIGTERM"):
        return False
    facts = _facts(name)
    if facts.get("BatchFlag") != "1" or facts.get("Requeue") != "1" or facts.get("JobState") != "RUNNING":
        return False
    if signal_name == "SIGTERM" and facts.get("PreemptTime", "None") == "None":
        return False
    return call(["scontrol", "requeue", name]).returncode == 0


def _facts(name: str) -> dict[str, str]:
    """What SLURM knows of a job; nothing, with the reason on stderr, if it cannot be asked, as in a container."""
    try:
        answer = call(["scontrol", "show", "job", name])
        reason = " ".join(answer.stderr.split()) if answer.returncode else None
    except RunError:
        reason = "there is no scontrol here"
    if reason is not None:
        say(f"SLURM cannot be asked to put job {name} into the queue again: {reason}")
        return {}
    return dict(word.split("=", 1) for word in answer.stdout.split() if "=" in word)
