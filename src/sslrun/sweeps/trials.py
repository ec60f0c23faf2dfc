"""Reading a sweep's folder, of Optuna or of a plain `-m`: all trials with parameters, values and state."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from sslrun.config.errors import RunError
from sslrun.runs.job import read_job
from sslrun.runs.manifest import manifest_or_empty, manifest_or_failed
from sslrun.runs.queue import SlurmQueue
from sslrun.runs.results import MAIN, main_value
from sslrun.runs.state import State, current_state, is_run
from sslrun.sweeps.journal import JOURNAL
from sslrun.sweeps.record import CONFIG_DIR, SweepRecord, read_record
from sslrun.sweeps.space import text
from sslrun.sweeps.study import SWEEP, WITHDRAWN, open_storage

STATES = {
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


@dataclass(frozen=True, kw_only=True)
class TrialRow:
    """One trial.

    Attributes:
        state: finished, pruned, failed, running, waiting; in a plain grid a state of `sslrun runs`.
        values: one per metric; of a pruned trial the last logged value; may be empty.
        folder: None if the study does not record it.
    """

    number: int
    state: str
    values: list[float]
    params: dict[str, Any]
    folder: Path | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """A sweep with all its trials.

    Attributes:
        metric_names, directions: one per value of a trial.
        fixed: overrides of all trials.
        study: None for a plain grid.
    """

    folder: Path
    command: str
    metric_names: list[str]
    directions: list[str]
    trials: list[TrialRow]
    fixed: list[str] = field(default_factory=list)
    study: optuna.Study | None = None
    record: SweepRecord | None = None

    @cached_property
    def finished(self) -> list[TrialRow]:
        """Trials that completed."""
        return [t for t in self.trials if t.state == "finished" and t.values]

    @cached_property
    def best(self) -> list[TrialRow]:
        """The best trial; with several metrics the Pareto front."""
        if self.study is not None and len(self.directions) > 1:
            numbers = {t.number for t in self.study.best_trials}
            return [t for t in self.finished if t.number in numbers]
        sign = -1 if self.directions[0] == "minimize" else 1
        return sorted(self.finished, key=lambda t: sign * t.values[0], reverse=True)[:1]

    @property
    def params(self) -> list[str]:
        """All searched parameters, in order of appearance."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    def command_of(self, trial: TrialRow) -> str:
        """The command line that runs this trial's configuration as a single run."""
        given = [f"{key}={text(value)}" for key, value in trial.params.items()]
        return shlex.join(["sslrun", self.command, *self.fixed, *given])


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep's folder, finished or not.

    Raises:
        RunError: it has no sweep.
    """
    record = read_record(folder)
    return _grid(folder) if record is None else _of_study(folder, record)


def _of_study(folder: Path, record: SweepRecord) -> Sweep:
    own = folder / JOURNAL  # also if the folder was copied from another machine
    storage = str(own) if own.is_file() else record.storage
    if "://" not in storage and not Path(storage).is_file():
        raise RunError(
            f"{folder}: its study is in {storage}, which does not exist here; copy it into the folder as {JOURNAL}"
        )
    study = optuna.load_study(study_name=record.study, storage=open_storage(storage))
    trials = [t for t in study.get_trials(deepcopy=False) if not t.user_attrs.get(WITHDRAWN)]
    return Sweep(
        folder=folder,
        command=record.command,
        metric_names=[m or "/".join(MAIN.get(record.command, ("number",))) for m in record.metrics],
        directions=record.directions,
        trials=[_row(trial) for trial in trials],
        fixed=record.passed,
        study=study,
        record=record,
    )


def _row(trial: FrozenTrial) -> TrialRow:
    sweep = trial.user_attrs.get(SWEEP)
    folder = None if sweep is None else Path(sweep) / str(trial.number)
    manifest = {} if folder is None else manifest_or_empty(folder)
    seconds = trial.duration.total_seconds() if trial.duration is not None else None
    return TrialRow(
        number=trial.number,
        state=STATES[trial.state],
        values=list(trial.values or []),
        params=dict(trial.params),
        folder=folder,
        seconds=manifest.get("seconds", seconds),
        error=trial.user_attrs.get("error"),
    )


def _grid(folder: Path) -> Sweep:
    runs = sorted((p for p in folder.glob("*") if p.is_dir() and is_run(p)), key=lambda p: (len(p.name), p.name))
    if not runs:
        raise RunError(f"{folder} holds no sweep: neither sweep.json nor run folders")
    queue, manifests = SlurmQueue(runs), {run: manifest_or_failed(run) for run in runs}
    argvs = {run: _argv(run, manifest) for run, manifest in manifests.items()}
    command = next((argv[1] for argv in argvs.values() if argv), "pretrain")
    overrides = {run: _overrides(argv) for run, argv in argvs.items()}
    common = [o for o in next(iter(overrides.values())) if all(o in other for other in overrides.values())]
    trials = []
    for number, (run, manifest) in enumerate(manifests.items()):
        value, now = main_value(run, command), current_state(run, manifest, queue)
        own = [o.partition("=") for o in overrides[run] if o not in common]
        trials.append(
            TrialRow(
                number=int(run.name) if run.name.isdigit() else number,
                state=now.state.value,
                values=[] if value is None else [value],
                params={key: given for key, _, given in own},
                folder=run,
                seconds=manifest.get("seconds"),
                error=now.note if now.state in (State.failed, State.lost) else None,
            )
        )
    return Sweep(
        folder=folder,
        command=command,
        metric_names=["/".join(MAIN.get(command, ("number",)))],
        directions=["maximize"],
        trials=trials,
        fixed=common,
    )


def _argv(run: Path, manifest: dict[str, Any]) -> list[str]:
    """Program, command and arguments of a run, even if it has not started; empty if unknown."""
    if "argv" in manifest:
        return [manifest["argv"][0], manifest["command"], *manifest["argv"][2:]]
    arguments = (read_job(run) or {}).get("arguments")
    return ["sslrun", *arguments] if arguments else []


def _overrides(argv: Sequence[str]) -> list[str]:
    """Arguments that affect results: overrides and --config-dir; `argv` starts with program and command."""
    given = [a for a in argv[2:] if "=" in a and (a.startswith(CONFIG_DIR) or not a.startswith("-"))]
    return [o for o in given if not o.lstrip("+~").startswith(("run.", "hydra"))]
