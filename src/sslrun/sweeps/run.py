"""The loop of an Optuna sweep: one job a trial, without a barrier, continued where a dead sweeper left it."""

import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

import optuna
from hydra.core.utils import JobReturn, JobStatus
from optuna.trial import TrialState

from sslrun.config.errors import RunError, SslrunError
from sslrun.config.sweeper import KEY, OptunaConfig, PrunerName
from sslrun.launch.job import say
from sslrun.runs import signals
from sslrun.runs.folder import is_held
from sslrun.runs.job import read_record as read_job
from sslrun.sweeps import study as studies
from sslrun.sweeps.objective import read_values, watched_metric
from sslrun.sweeps.record import SweepRecord, sweep_lock
from sslrun.sweeps.space import Space

EXIT_INTERRUPTED = 3
POLL_SECONDS = 0.2
Launch = Callable[[Sequence[str], int], JobReturn]
"""Run one job: its overrides and its number; the run folder is `<sweep>/<number>`."""


class Stopped(Exception):  # noqa: N818  (asked for, no error)
    """The sweeper was asked to stop."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A sweep that `run` carries to its end.

    Attributes:
        folder: of the sweep, absolute.
        launcher: as `hydra/launcher` names it; `basic` runs jobs in this process, one after the other.
        show: writes the sweep's page.
    """

    config: OptunaConfig
    command: str
    space: Space
    folder: Path
    launcher: str
    launch: Launch
    show: Callable[[], None]

    def run(self) -> optuna.Study:
        """Run trials until the study has `n_trials`, those of earlier sessions included.

        Raises:
            SystemExit: code 3, asked to stop; the same command continues.
            RunError: another sweeper holds the folder; too many trials failed.
        """
        with sweep_lock(self.folder):
            study, record = self._open()
            session = _Session(self, study, record)
            say(f"study {record.study}: {studies.finished(study)} of {self.config.n_trials} trials, {self.folder}")
            try:
                session.run()
            except (Stopped, KeyboardInterrupt):
                session.wait_for_jobs()
                say(self._stopped_line(study))
                raise SystemExit(EXIT_INTERRUPTED) from None
            finally:
                self.show()
            return study

    def _open(self) -> tuple[optuna.Study, SweepRecord]:
        config = self.config
        storage = config.storage or str(self.folder / "study.journal")
        record = SweepRecord(
            command=self.command,
            overrides=self.space.fixed,
            metrics=config.metrics,
            directions=config.directions,
            study=config.study_name or self.folder.name,
            storage=storage if "://" in storage else str(Path(storage).absolute()),
            sampler=config.sampler.value,
            pruner=config.pruner.value,
            n_trials=config.n_trials,
        )
        if config.pruner is not PrunerName.none:
            watched_metric(config.metrics[0], command=self.command)
        study = studies.open_study(config, name=record.study, storage=record.storage, salt=str(self.folder))
        record.write(self.folder)
        return study, record

    def _stopped_line(self, study: optuna.Study) -> str:
        done = f"{studies.finished(study)} of {self.config.n_trials} trials are finished"
        outside = "; jobs in the queue go on" if self.launcher == "slurm" else ""
        return f"sweep stopped: {done}{outside}; the same command with run.dir={self.folder} continues it"


class _Session:
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
            wait_for_holder(folder)
            if _status(folder) not in ("finished", "pruned"):
                returned = self.search.launch(overrides, trial.number)
                if returned.status is JobStatus.FAILED:
                    error = returned._return_value
        except BaseException as caught:  # what it means is decided in the main thread
            error = caught
        self._done.put((trial, error))

    def _settle(self, trial: optuna.Trial, error: BaseException | None) -> None:
        """Tell the study how a trial ended, as its run folder says."""
        folder = self._folder(trial)
        status = _status(folder)
        stopped = isinstance(error, KeyboardInterrupt) or getattr(error, "code", None) == EXIT_INTERRUPTED
        if status == "finished":
            try:
                values = read_values(folder, self.record.metrics, command=self.record.command)
            except RunError as missing:
                self._fail(trial, str(missing))
            else:
                self.study.tell(trial, values, state=TrialState.COMPLETE)
                say(f"trial {trial.number}: {', '.join(f'{v:.6g}' for v in values)}  {_params(trial)}")
        elif status == "pruned":
            self.study.tell(trial, state=TrialState.PRUNED)
            say(f"trial {trial.number}: pruned  {_params(trial)}")
        elif stopped:
            raise Stopped
        elif status == "interrupted":  # cancelled, or trainer.max_time is over; the next session goes on with it
            self._count_failure(f"trial {trial.number} was stopped, and is continued by the same command")
        else:
            self._fail(trial, _text(error, folder))
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


def wait_for_holder(folder: Path) -> None:
    """Wait while a job that a dead sweeper started still works on the folder; SLURM's launcher sees to its own."""
    while is_held(folder) or _starting(folder):
        time.sleep(POLL_SECONDS)


def _starting(folder: Path) -> bool:
    """Whether the folder's local job is alive, which takes its lock some seconds after its start."""
    job = read_job(folder)
    if job is None or job["launcher"] != "process":
        return False
    try:
        arguments = Path(f"/proc/{int(job['job'])}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False
    return os.fsencode(str(folder)) in arguments


def _status(folder: Path) -> str | None:
    """`status` of run.json; None where there is none."""
    try:
        manifest: dict[str, Any] = json.loads((folder / "run.json").read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return manifest.get("status")


def _text(error: BaseException | None, folder: Path) -> str:
    """One line: the job's own last error, else what the launcher says."""
    with suppress(OSError, json.JSONDecodeError):
        manifest = json.loads((folder / "run.json").read_text())
        if manifest.get("status") == "failed" and manifest.get("last_error"):
            return str(manifest["last_error"])
    cause = error.__context__ if isinstance(error, SystemExit) else error  # the command line turned it into an exit
    if cause is None:
        return "it ended without a word"
    line = " ".join(str(cause).split())
    return line if isinstance(cause, SslrunError) else f"{type(cause).__name__}: {line}"


def _params(trial: optuna.Trial) -> str:
    return " ".join(f"{key}={value}" for key, value in trial.params.items())
