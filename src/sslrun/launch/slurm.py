"""A SLURM cluster: arrays of command lines, which SLURM restarts if they were stopped."""

import math
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from sslrun.config.launcher import SlurmConfig
from sslrun.core.atomic import write_text
from sslrun.core.console import say
from sslrun.launch.controller import HELD, cancel, queue, release, submit_held
from sslrun.launch.job import Job, Outcome, outcome, write_record
from sslrun.launch.script import array_script
from sslrun.runs.job import read_job

LARGEST_ARRAY = 1000
"""SLURM's default limit."""


class Slurm:
    """Submits jobs and waits for them."""

    def __init__(self, config: SlurmConfig) -> None:
        self.config = config
        self._poll_lock = threading.Lock()
        self._polled_at = -math.inf
        self._queue: Mapping[str, str] = {}

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Submit jobs that are not queued yet, as one array per shape, and wait for them if `config.wait`.

        Args:
            folder: for the scripts; of the sweep or of the single run.

        Raises:
            RunError: sbatch refuses, or is absent.
        """
        queued = self._poll(time.monotonic())
        waiting = {job: found for job in jobs if (found := _task_of(job)) is not None and found in queued}
        self._release([task for task in waiting.values() if queued[task] == HELD])  # left by a killed launcher
        for group in arrays([job for job in jobs if job not in waiting]):
            waiting |= self._submit(group, folder)
        if not self.config.wait:
            return [Outcome(job=job, status="submitted") for job in jobs]
        try:
            since = time.monotonic()
            while set(waiting.values()) & self._poll(since).keys():
                time.sleep(self.config.poll_seconds)
        except KeyboardInterrupt:
            named = " ".join(dict.fromkeys(task.split("_")[0] for task in waiting.values()))
            say(f"\nSLURM continues with {named}; the same command waits for it again, `scancel {named}` stops it")
            raise
        return [outcome(job) for job in jobs]

    def _poll(self, since: float) -> Mapping[str, str]:
        """The queue at most `poll_seconds` ago and after `since`; after a first answer, retry until the next.

        Threads of a search, each of which waits for one trial, share a poll, so that hundreds of them do not query the
        controller hundreds of times.
        """
        with self._poll_lock:
            now = time.monotonic()
            if self._polled_at < max(since, now - self.config.poll_seconds):
                self._queue, self._polled_at = queue(retry=self._polled_at > -math.inf), now
            return self._queue

    def _submit(self, jobs: list[Job], folder: Path) -> dict[Job, str]:
        """Submit held, write the job id into each folder, then release: if the launcher is killed meanwhile, no job
        runs that the same command would not find."""
        scripts = folder / "slurm"
        scripts.mkdir(parents=True, exist_ok=True)
        text = array_script(jobs, self.config, output=scripts)
        script = scripts / f"{jobs[0].number}-{jobs[-1].number}.sh"
        write_text(script, text)
        for job in jobs:
            job.write_script()
            write_text(job.folder / "sbatch.sh", text)
        identity = submit_held(script)
        try:
            for i, job in enumerate(jobs):
                write_record(job, launcher="slurm", identity=identity, task=i, script=script)
        except BaseException:
            cancel(identity)
            raise
        self._release([identity])
        say(f"SLURM job {identity}: {len(jobs)} x {jobs[0].arguments[0]}, {script}")
        return {job: f"{identity}_{i}" for i, job in enumerate(jobs)}

    def _release(self, names: list[str]) -> None:
        if names and not self.config.sbatch.get("hold"):
            release(names)


def arrays(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs grouped by shape, at most `LARGEST_ARRAY` per group."""
    shapes: dict[tuple[int, int], list[Job]] = {}
    for job in jobs:
        shapes.setdefault((job.nodes, job.tasks_per_node), []).append(job)
    return [group[i : i + LARGEST_ARRAY] for group in shapes.values() for i in range(0, len(group), LARGEST_ARRAY)]


def _task_of(job: Job) -> str | None:
    record = read_job(job.folder)
    return f"{record['job']}_{record['task']}" if record is not None and record["launcher"] == "slurm" else None
