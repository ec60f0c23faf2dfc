"""One process's session of an Optuna sweep: starts a job per trial as others end, and records their results."""

import threading
import time
from collections import Counter
from contextlib import suppress
from queue import Empty, Queue

import optuna
from hydra.core.utils import JobStatus
from optuna.trial import TrialState

from sslrun.config.errors import RunError
from sslrun.config.sweeper import KEY
from sslrun.core.console import say
from sslrun.runs import signals
from sslrun.sweeps import jobs, owners
from sslrun.sweeps import study as studies
from sslrun.sweeps.arguments import folder_of, job_overrides
from sslrun.sweeps.objective import NoSuchMetricError, read_values
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.search import Search

MAX_STARTS = 3
"""Starts of a trial per session before it counts as failed, as its job may be killed because of other processes."""


class Stopped(Exception):  # noqa: N818  (not an error)
    """The sweeper was asked to stop."""


class SweepSession:
    """One process's session of a sweep."""

    def __init__(self, search: Search, study: optuna.Study, record: SweepRecord) -> None:
        self.search, self.study, self.record = search, study, record
        self.failures = 0
        self._interrupted = False
        self._outside = search.launcher in ("process", "slurm")
        self._unfinished = owners.left_running(study, sweep=search.folder)
        self._killed: Counter[int] = Counter()
        self._stopping = threading.Event()
        self._done: Queue[tuple[optuna.Trial, BaseException | None]] = Queue()
        self._threads: list[threading.Thread] = []
        self._shown = time.monotonic()

    def run(self) -> None:
        """Run trials, starting new ones as others end."""
        running = 0
        max_jobs = self.search.config.n_jobs if self._outside else 1
        while True:
            self._check_stop()
            while running < max_jobs and (trial := self._next()) is not None:
                self._start(trial)
                running += 1
            if running == 0:
                if self._interrupted:  # some trials are still to be continued
                    raise Stopped
                return
            with suppress(Empty):
                self._settle(*self._done.get(timeout=1.0))
                running -= 1

    def wait_for_jobs(self) -> None:
        """Wait for local jobs, which were signalled to save; jobs on a cluster continue by themselves."""
        self._stopping.set()
        if self.search.launcher == "process":
            for thread in self._threads:
                thread.join()

    def _next(self) -> optuna.Trial | None:
        """An unfinished trial of this or of a dead sweep; else a new one until there are `n_trials`."""
        space, folder = self.search.space.distributions, self.search.folder
        if self._unfinished:
            return studies.suggest_missing(self.study, self._unfinished.pop(0), space)
        if (orphan := owners.take_over(self.study, sweep=folder)) is not None:
            say(f"trial {orphan.number} was left by a sweeper that is gone, and continues in {folder_of(orphan)}")
            return studies.suggest_missing(self.study, orphan, space)
        wanted = self.search.config.n_trials
        if studies.claimed(self.study) >= wanted:
            return None
        trial = studies.ask(self.study, space, sweep=folder)
        if studies.claimed(self.study, before=trial.number) >= wanted:  # another sweeper took the last one meanwhile
            trial.set_user_attr(studies.WITHDRAWN, True)
            self.study.tell(trial, state=TrialState.FAIL)
            return None
        return trial

    def _start(self, trial: optuna.Trial) -> None:
        overrides = job_overrides(trial, self.search, self.record)
        if not self._outside:
            self._work(trial, overrides)
            return
        thread = threading.Thread(target=self._work, args=(trial, overrides), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _work(self, trial: optuna.Trial, overrides: list[str]) -> None:
        """Run one job to its end and queue the trial for `_settle`; in a thread if jobs are separate processes."""
        error: BaseException | None = None
        try:
            folder = folder_of(trial)
            jobs.wait_for_holder(folder, taken_over=folder.parent != self.search.folder, stopping=self._asked_to_stop)
            if jobs.status(folder) not in ("finished", "pruned"):
                returned = self.search.launch(overrides, trial.number)
                if returned.status is JobStatus.FAILED:
                    error = returned._return_value
        except BaseException as caught:  # handled in the main thread
            error = caught
        self._done.put((trial, error))

    def _settle(self, trial: optuna.Trial, error: BaseException | None) -> None:
        """Tell the study how a trial ended, according to its run folder."""
        folder = folder_of(trial)
        ended = jobs.status(folder)
        stopped = isinstance(error, KeyboardInterrupt) or getattr(error, "code", None) == signals.EXIT_CODE
        if ended == "finished":
            try:
                values = read_values(folder, self.record.metrics, command=self.record.command)
            except NoSuchMetricError:
                raise  # the trial stays open for a corrected metric
            except RunError as missing:
                self._fail(trial, str(missing))
            else:
                self.study.tell(trial, values, state=TrialState.COMPLETE)
                say(f"trial {trial.number}: {', '.join(f'{v:.6g}' for v in values)}  {_params(trial)}")
        elif ended == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
            say(f"trial {trial.number}: pruned  {_params(trial)}")
        elif stopped:
            raise Stopped
        elif ended == "running" and self._outside and self._killed[trial.number] + 1 < MAX_STARTS:
            self._killed[trial.number] += 1
            say(f"trial {trial.number} was killed and is restarted: {jobs.last_error(error, folder)}")
            self._unfinished.append(trial)
        elif ended == "interrupted":  # cancelled, or reached trainer.max_time; the next session continues it
            self._interrupted = True
            self._count_failure(f"trial {trial.number} was stopped; the same command continues it")
        else:
            self._fail(trial, jobs.last_error(error, folder))
        self._show_now_and_then()

    def _fail(self, trial: optuna.Trial, text: str) -> None:
        trial.set_user_attr("error", text)
        self.study.tell(trial, state=TrialState.FAIL)
        self._count_failure(f"trial {trial.number} failed: {text}")

    def _count_failure(self, line: str) -> None:
        say(line)
        self.failures += 1
        if self.failures > self.search.config.max_failures:
            raise RunError(
                f"{self.failures} trials failed, more than {KEY}.max_failures={self.search.config.max_failures}; "
                f"the last: {line}"
            )

    def _check_stop(self) -> None:
        if self._asked_to_stop():
            raise Stopped

    def _asked_to_stop(self) -> bool:
        return self._stopping.is_set() or signals.received() is not None

    def _show_now_and_then(self) -> None:
        """Write the page at most once a minute, as it takes a second or two."""
        if time.monotonic() - self._shown >= 60:
            self.search.show()
            self._shown = time.monotonic()


def _params(trial: optuna.Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial.params.items())
