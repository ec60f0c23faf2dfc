"""Local subprocesses, with a limit on concurrent jobs, and exclusive GPUs for each if there are several."""

import math
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import FrameType

from sslrun.config.errors import RunError
from sslrun.config.launcher import ProcessConfig
from sslrun.launch.job import Job, Outcome, outcome, write_record
from sslrun.runs.folder import is_held


class ProcessPool:
    """Runs at most `config.jobs` jobs at a time, over all threads that call `run`.

    If created in the main thread, Ctrl-C and SIGTERM make the running jobs save and stop.
    """

    def __init__(self, config: ProcessConfig) -> None:
        gpus = visible_gpus()
        self.max_jobs = max(1, len(gpus)) if config.jobs == "auto" else int(config.jobs)
        self._slots = threading.Condition()
        self._active = 0
        self._jobs_on_gpu = dict.fromkeys(gpus if len(gpus) > 1 and self.max_jobs > 1 else [], 0)
        self._max_jobs_on_gpu = math.ceil(self.max_jobs / max(1, len(gpus)))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._stop)

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Run all jobs and wait for them; `folder`, of the sweep, is not used.

        Raises:
            KeyboardInterrupt: asked to stop; the jobs have saved and ended.
        """
        with ThreadPoolExecutor(max(1, len(jobs))) as threads:
            work = [threads.submit(self._run, job) for job in jobs]
            while wait(work, timeout=0.5).not_done:  # without a timeout, a signal just before the wait would be delayed
                pass
            return [done.result() for done in work]

    def _run(self, job: Job) -> Outcome:
        gpus = self._acquire(job.tasks_per_node)
        try:
            while is_held(job.folder) and not self._stopping:  # by a process that outlived a killed launcher
                time.sleep(0.2)
            if self._stopping:
                raise KeyboardInterrupt
            self._start_and_wait(job, gpus)
        finally:
            self._release(gpus)
        return outcome(job)

    def _acquire(self, processes: int) -> list[str]:
        """Wait until a job of so many processes may start, and reserve the GPUs with the fewest jobs for it.

        Returns:
            GPU names; empty if every job sees all GPUs.
        """
        needed = min(processes, len(self._jobs_on_gpu))
        with self._slots:
            while True:
                free = [gpu for gpu, jobs in self._jobs_on_gpu.items() if jobs < self._max_jobs_on_gpu]
                if self._active < self.max_jobs and len(free) >= needed:
                    break
                self._slots.wait()
            gpus = sorted(free, key=self._jobs_on_gpu.__getitem__)[:needed]
            self._active += 1
            for gpu in gpus:
                self._jobs_on_gpu[gpu] += 1
        return gpus

    def _release(self, gpus: list[str]) -> None:
        with self._slots:
            self._active -= 1
            for gpu in gpus:
                self._jobs_on_gpu[gpu] -= 1
            self._slots.notify_all()

    def _start_and_wait(self, job: Job, gpus: list[str]) -> None:
        job.write_script()
        environment = dict(os.environ)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        if self.max_jobs > 1:  # oversubscribed cores slow all jobs down
            environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self.max_jobs)))
        with job.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    ["bash", str(job.script)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,  # Ctrl-C reaches it through _stop only
                )
            except OSError as error:
                raise RunError(f"job #{job.number} cannot be started: {error.strerror or error}") from error
        self._running.add(process)
        try:
            if self._stopping:  # the signal came just before the start
                process.terminate()
            write_record(job, launcher="process", identity=str(process.pid), task=None, script=job.script)
            process.wait()
        finally:
            self._running.discard(process)

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopping = True
        for process in list(self._running):
            process.terminate()
        raise KeyboardInterrupt


def visible_gpus() -> list[str]:
    """Names of the GPUs, as in CUDA_VISIBLE_DEVICES, without torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip()]
    devices = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
    return sorted((found.group(1) for found in devices if found), key=int)
