"""One process's work on an Optuna sweep: one job a trial, started as others end, settled by what their folders say."""

import json
import threading
import time
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue

import optuna
from hydra.core.utils import JobStatus
from optuna.trial import TrialState

from sslrun.config.errors import RunError
from sslrun.config.sweeper import KEY, PrunerName
from sslrun.launch.job import say
from sslrun.runs import signals
from sslrun.sweeps import jobs
from sslrun.sweeps import study as studies
from sslrun.sweeps.objective import read_values, watched_metric
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.search import Search

EXIT_INTERRUPTED = 3


class Stopped(Exception):  # noqa: N818  (asked for, no error)
    """The sweeper was asked to stop."""


class Session:
    """One process's work on a sweep."""

    def __init__(self, search: Search, study: optuna.Study, record: SweepRecord) -> None:
        self.search, self.study, self.record = search, study, record
        self.failures = 0
        self._left = studies.left_running(study, sweep=search.folder)
        self._done: Queue[tuple[optuna.Trial, BaseException | None]] = Queue()
        self._threads: list[threading.Thread] = []
        self._shown = time.monotonic()

    def run(self) -> None:
        """Start trials as others end."""
        running = 0
        at_a_time = self.search.config.n_jobs if self.search.launcher in ("process", "slurm") else 1
        while True:
            self._check_stop()
            while running < at_a_time and (trial := self._next()) is not None:
                self._start(trial)
                running += 1
            if running == 0:
                return
            with suppress(Empty):
                self._settle(*self._done.get(timeout=1.0))
                running -= 1

    def wait_for_jobs(self) -> None:
        """Local jobs were asked to save, and do so now; those of a cluster go on by themselves."""
        if self.search.launcher == "process":
            for thread in self._threads:
                thread.join()

    def _next(self) -> optuna.Trial | None:
        """A trial that was left running first; else a new one while one is missing."""
        space, folder = self.search.space.distributions, self.search.folder
        if self._left:
            return studies.take_up(self.study, self._left.pop(0), space)
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
        overrides = self.search.space.overrides(trial.params) + self._trial_overrides(trial)
        if self.search.launcher not in ("process", "slurm"):
            self._work(trial, overrides)
            return
        thread = threading.Thread(target=self._work, args=(trial, overrides), daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()] + [thread]
        thread.start()

    def _trial_overrides(self, trial: optuna.Trial) -> list[str]:
        """What tells the job which trial it is; without a pruner it need not know."""
        if self.search.config.pruner is PrunerName.none:
            return []
        metric = watched_metric(self.record.metrics[0], command=self.record.command)
        named = {"study": self.record.study, "storage": self.record.storage, "metric": metric}
        fields = [f"{key}:{json.dumps(value)}" for key, value in named.items()]
        return [f"run.trial={{{','.join([*fields, f'number:{trial.number}'])}}}"]

    def _work(self, trial: optuna.Trial, overrides: list[str]) -> None:
        """Run one job to its end and queue the trial for `_settle`; in a thread where jobs run outside."""
        error: BaseException | None = None
        try:
            folder = self._folder(trial)
            jobs.wait_for_holder(folder)
            if jobs.status(folder) not in ("finished", "pruned"):
                returned = self.search.launch(overrides, trial.number)
                if returned.status is JobStatus.FAILED:
                    error = returned._return_value
        except BaseException as caught:  # what it means is decided in the main thread
            error = caught
        self._done.put((trial, error))

    def _settle(self, trial: optuna.Trial, error: BaseException | None) -> None:
        """Tell the study how a trial ended, as its run folder says."""
        folder = self._folder(trial)
        ended = jobs.status(folder)
        stopped = isinstance(error, KeyboardInterrupt) or getattr(error, "code", None) == EXIT_INTERRUPTED
        if ended == "finished":
            try:
                values = read_values(folder, self.record.metrics, command=self.record.command)
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
        elif ended == "interrupted":  # cancelled, or trainer.max_time is over; the next session goes on with it
            self._count_failure(f"trial {trial.number} was stopped, and is continued by the same command")
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

    def _folder(self, trial: optuna.Trial) -> Path:
        return self.search.folder / str(trial.number)

    def _check_stop(self) -> None:
        if signals.received() is not None:
            raise Stopped

    def _show_now_and_then(self) -> None:
        """The page takes a second or two; it is not drawn for every trial of a quick sweep."""
        if time.monotonic() - self._shown >= 60:
            self.search.show()
            self._shown = time.monotonic()


def _params(trial: optuna.Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial.params.items())
