"""Local subprocesses, so many at a time, each with GPUs of its own where there are several."""

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
    """Runs jobs, `config.jobs` at a time over all threads that call `run`.

    From its creation in the main thread on, Ctrl-C and SIGTERM ask the running jobs to save.
    """

    def __init__(self, config: ProcessConfig) -> None:
        gpus = visible_gpus()
        self.at_a_time = max(1, len(gpus)) if config.jobs == "auto" else int(config.jobs)
        self._room = threading.Condition()
        self._at_work = 0
        self._on_gpu = dict.fromkeys(gpus if len(gpus) > 1 and self.at_a_time > 1 else [], 0)  # jobs on each
        self._most_on_gpu = math.ceil(self.at_a_time / max(1, len(gpus)))
        self._running: set[subprocess.Popen[bytes]] = set()
        self._stopping = False
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._stop)

    def run(self, jobs: Sequence[Job], *, folder: Path) -> list[Outcome]:
        """Run all jobs and wait for them; `folder`, of the sweep, needs nothing here.

        Raises:
            KeyboardInterrupt: asked to stop; the jobs were asked to save, and have ended.
        """
        with ThreadPoolExecutor(max(1, len(jobs))) as threads:
            work = [threads.submit(self._run, job) for job in jobs]
            while wait(work, timeout=0.5).not_done:  # a signal just before a wait without end would be seen after it
                pass
            return [done.result() for done in work]

    def _run(self, job: Job) -> Outcome:
        gpus = self._take(job.tasks_per_node)
        try:
            while is_held(job.folder) and not self._stopping:  # its process outlived a launcher that was killed
                time.sleep(0.2)
            if self._stopping:
                raise KeyboardInterrupt
            self._start_and_wait(job, gpus)
        finally:
            self._give_back(gpus)
        return outcome(job)

    def _take(self, processes: int) -> list[str]:
        """Wait until a job of so many processes may start; its GPUs, those with the fewest jobs first.

        Returns:
            Names; none where every job sees all that there is.
        """
        needed = min(processes, len(self._on_gpu))
        with self._room:
            while True:
                free = [gpu for gpu, jobs in self._on_gpu.items() if jobs < self._most_on_gpu]
                if self._at_work < self.at_a_time and len(free) >= needed:
                    break
                self._room.wait()
            taken = sorted(free, key=self._on_gpu.__getitem__)[:needed]
            self._at_work += 1
            for gpu in taken:
                self._on_gpu[gpu] += 1
        return taken

    def _give_back(self, gpus: list[str]) -> None:
        with self._room:
            self._at_work -= 1
            for gpu in gpus:
                self._on_gpu[gpu] -= 1
            self._room.notify_all()

    def _start_and_wait(self, job: Job, gpus: list[str]) -> None:
        job.write_script()
        environment = dict(os.environ)
        if gpus:
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(gpus)
        if self.at_a_time > 1:  # oversubscribed cores cost far more than they give
            environment.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // self.at_a_time)))
        with job.log.open("ab") as log:
            try:
                process = subprocess.Popen(
                    ["bash", str(job.script)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=environment,
                    start_new_session=True,  # Ctrl-C is ours to pass on
                )
            except OSError as error:
                raise RunError(f"job #{job.number} cannot be started: {error.strerror or error}") from error
        self._running.add(process)
        try:
            if self._stopping:  # the signal came between the look and the start
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
    """Names of the GPUs for CUDA_VISIBLE_DEVICES, found without torch."""
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    if given is not None:
        return [name for name in given.split(",") if name.strip()]
    devices = (re.fullmatch(r"nvidia(\d+)", path.name) for path in Path("/dev").glob("nvidia*"))
    return sorted((found.group(1) for found in devices if found), key=int)
