"""A SLURM cluster: one array of plain command lines, which SLURM itself starts again where they were stopped."""

import math
import os
import shlex
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.errors import RunError
from sslrun.config.launcher import SlurmConfig
from sslrun.core.atomic import write_text
from sslrun.launch.job import SCRIPT, Job, Outcome, outcome, say, write_record
from sslrun.runs.job import LOG, read_record

TASK = (
    f'if [ "$SLURM_PROCID" = 0 ]; then exec >> "$1/{LOG}"; else exec > "$1/log-rank$SLURM_PROCID.txt"; fi; '
    f'exec bash "$1/{SCRIPT}" 2>&1'
)
"""What each task of a run does: it writes its own file, since srun, which would carry the lines, may end before they
arrive when a rank fails. Those of further ranks hold their latest start only."""
LARGEST_ARRAY = 1000
"""SLURM's own limit, unless its administrator has set another."""


class Slurm:
    """Submits jobs and waits for them."""

    def __init__(self, config: SlurmConfig) -> None:
        self.config = config
        self._looking = threading.Lock()
        self._looked_at, self._seen = -math.inf, set[str]()

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Submit what does not run yet, one array for all jobs of one shape, and wait where that is wanted.

        Args:
            folder: where the submitted scripts go, of the sweep or of the single run.

        Raises:
            RunError: sbatch refuses, or is not there.
        """
        queued = set(queue())
        waiting = {job: found for job in jobs if (found := _task_of(job)) in queued}
        for group in arrays([job for job in jobs if job not in waiting]):
            waiting |= self._submit(group, folder)
        if not self.config.wait:
            return [Outcome(job=job, status="submitted") for job in jobs]
        try:
            since = time.monotonic()
            while set(waiting.values()) & self._look(since):
                time.sleep(self.config.poll_seconds)
        except KeyboardInterrupt:
            named = " ".join(dict.fromkeys(task.split("_")[0] for task in waiting.values()))
            say(f"\nSLURM goes on with {named}; the same command waits for it again, `scancel {named}` stops it")
            raise
        return [outcome(job) for job in jobs]

    def _look(self, since: float) -> set[str]:
        """The queue as it was at most `poll_seconds` ago, and after `since`.

        The threads of a search, of which each waits for one trial, share a look: hundreds of them would else ask the
        controller hundreds of times.
        """
        with self._looking:
            now = time.monotonic()
            if self._looked_at < max(since, now - self.config.poll_seconds):
                self._seen, self._looked_at = queue(patient=True), now
            return self._seen

    def _submit(self, jobs: list[Job], folder: Path) -> dict[Job, str]:
        scripts = folder / "slurm"
        scripts.mkdir(parents=True, exist_ok=True)
        for job in jobs:
            job.write_script()
        text = array_script(jobs, self.config, output=scripts)
        script = scripts / f"{jobs[0].number}-{jobs[-1].number}.sh"
        write_text(script, text)
        identity = _sbatch(script)
        say(f"SLURM job {identity}: {len(jobs)} x {jobs[0].arguments[0]}, {script}")
        for i, job in enumerate(jobs):
            write_text(job.folder / "sbatch.sh", text)
            write_record(job, launcher="slurm", identity=identity, task=i, script=script)
        return {job: f"{identity}_{i}" for i, job in enumerate(jobs)}


def arrays(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs of one shape together, at most `LARGEST_ARRAY` each."""
    shapes: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        shapes.setdefault((job.nodes, job.tasks_per_node), []).append(job)
    return [group[i : i + LARGEST_ARRAY] for group in shapes.values() for i in range(0, len(group), LARGEST_ARRAY)]


def array_script(jobs: Sequence[Job], config: SlurmConfig, *, output: Path) -> str:
    """The script for sbatch: an array with a task for each run, each put into the queue again where it crashes."""
    gpus = config.gpus_per_node
    options = {
        "job-name": f"sslrun-{jobs[0].arguments[0]}",
        "partition": config.partition,
        "account": config.account,
        "time": config.time,
        "nodes": jobs[0].nodes,
        "ntasks-per-node": jobs[0].tasks_per_node,
        "gpus-per-node": gpus,
        "cpus-per-task": config.cpus_per_task,
        "mem": config.mem,
        "array": f"0-{len(jobs) - 1}%{config.array_parallelism}",
        "signal": f"USR1@{config.signal_seconds}",
        "requeue": True,
        "open-mode": "append",
        "output": output / "%A_%a.out",
        **{name.replace("_", "-"): value for name, value in config.sbatch.items()},
    }
    head = [f"#SBATCH --{k}" + ("" if v is True else f"={v}") for k, v in options.items() if v not in (None, False)]
    srun = shlex.join(["srun", "--kill-on-bad-exit=1", *config.srun, "bash", "-c", TASK, "task"])
    return "\n".join(
        [
            "#!/bin/bash",
            *head,
            "runs=(",
            *(f"  {shlex.quote(str(job.folder))}" for job in jobs),
            ")",
            'run="${runs[$SLURM_ARRAY_TASK_ID]}"',
            'job="${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"',
            *config.setup,
            f'{srun} "$run" 2>> "$run/{LOG}"',
            "code=$?",
            "# 0 finished, 2 a user's error, 3 stopped and saved: none of them is mended by another try",
            "case $code in 0|2|3) exit $code ;; esac",
            'echo "$(date -u +%FT%TZ) ended with code $code on $SLURM_JOB_NODELIST" >> "$run/crashes.txt"',
            f'if [ "$(wc -l < "$run/crashes.txt")" -le {config.retries} ] '
            "&& scontrol show job \"$job\" | grep -q 'JobState=RUNNING'; then",
            '  scontrol requeue "$job"',
            "fi",
            "exit $code",
            "",
        ]
    )


def queue(*, patient: bool = False) -> set[str]:
    """`<array job>_<task>` of every job of this user that is not over.

    Args:
        patient: ask until there is an answer; the jobs go on without the controller.

    Raises:
        RunError: there is no squeue, or it does not answer.
    """
    while True:
        answer = _call(["squeue", "--noheader", "--array", "--me", "--format=%F_%K"])
        if answer.returncode == 0:
            return set(answer.stdout.split())
        if not patient:
            raise RunError(f"squeue does not answer: {' '.join(answer.stderr.split())}")
        time.sleep(10)


def requeue(signal_name: str) -> bool:
    """Put this process's SLURM job into the queue again, after a checkpoint, where its end was not meant.

    SIGUSR1 comes before the time limit. SIGTERM comes from a preemption, after which a job that ends by itself would
    count as completed; but also from scancel, after which the job must not come back.

    Returns:
        Whether it was put into the queue.
    """
    array, job = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_JOB_ID")
    if job is None or signal_name not in ("SIGUSR1", "SIGTERM"):
        return False
    name = job if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    words = _call(["scontrol", "show", "job", name]).stdout.split()
    facts = dict(word.split("=", 1) for word in words if "=" in word)
    if facts.get("BatchFlag") != "1" or facts.get("Requeue") != "1" or facts.get("JobState") != "RUNNING":
        return False
    if signal_name == "SIGTERM" and facts.get("PreemptTime", "None") == "None":
        return False
    return _call(["scontrol", "requeue", name]).returncode == 0


def _task_of(job: Job) -> str | None:
    record = read_record(job.folder)
    return f"{record['job']}_{record['task']}" if record is not None and record["launcher"] == "slurm" else None


def _sbatch(script: Path) -> str:
    answer = _call(["sbatch", "--parsable", str(script)])
    if answer.returncode:
        raise RunError(f"sbatch refused {script}: {' '.join(answer.stderr.split())}")
    return answer.stdout.split(";")[0].strip()


def _call(command: list[str]) -> "subprocess.CompletedProcess[str]":
    """Run a command of SLURM's, without the options that a surrounding job has set in the environment."""
    keep = ("SLURM_CONF",)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM_", "SBATCH_")) or k in keep}
    try:
        return subprocess.run(command, capture_output=True, text=True, env=environment)
    except FileNotFoundError as error:
        raise RunError(
            f"hydra/launcher=slurm: there is no {command[0]} here; submit from a node that has SLURM's commands, or "
            "choose hydra/launcher=process"
        ) from error
