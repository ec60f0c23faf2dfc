"""A sweep as its folder holds it, of Optuna or of a plain `-m`: every trial with parameters, numbers and state."""

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
from sslrun.runs.state import State, is_run, standing
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
        state: finished, pruned, failed, running, waiting; of a plain grid as `sslrun runs` tells it.
        values: one for each metric; of a pruned trial the last that it logged; empty if there is none.
        folder: null where another sweep of the same study ran it.
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
    """All of a sweep.

    Attributes:
        metric_names, directions: one each for every number of a trial.
        fixed: overrides that all trials have.
        study: null where the sweep is a plain grid.
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
        """Trials that ran to their end."""
        return [t for t in self.trials if t.state == "finished" and t.values]

    @cached_property
    def best(self) -> list[TrialRow]:
        """The best trial; of several metrics all that no other beats in each."""
        if self.study is not None and len(self.directions) > 1:
            numbers = {t.number for t in self.study.best_trials}
            return [t for t in self.finished if t.number in numbers]
        sign = -1 if self.directions[0] == "minimize" else 1
        return sorted(self.finished, key=lambda t: sign * t.values[0], reverse=True)[:1]

    @property
    def params(self) -> list[str]:
        """Every parameter that was searched, in order of appearance."""
        return list(dict.fromkeys(name for trial in self.trials for name in trial.params))

    def command_of(self, trial: TrialRow) -> str:
        """The command line that runs this trial's configuration by itself."""
        given = [f"{key}={text(value)}" for key, value in trial.params.items()]
        return shlex.join(["sslrun", self.command, *self.fixed, *given])


def read_sweep(folder: Path) -> Sweep:
    """Read a sweep's folder in any state.

    Raises:
        RunError: it holds no sweep.
    """
    record = read_record(folder)
    return _grid(folder) if record is None else _of_study(folder, record)


def _of_study(folder: Path, record: SweepRecord) -> Sweep:
    own = folder / JOURNAL  # also if the folder was copied from another machine
    storage = str(own) if own.is_file() else record.storage
    if "://" not in storage and not Path(storage).is_file():
        raise RunError(
            f"{folder}: its study lies in {storage}, which is not here; bring it into the folder as {JOURNAL}"
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
    asked = {run: _asked(run, manifest) for run, manifest in manifests.items()}
    command = next((words[1] for words in asked.values() if words), "pretrain")
    overrides = {run: _overrides(words) for run, words in asked.items()}
    common = [o for o in next(iter(overrides.values())) if all(o in other for other in overrides.values())]
    trials = []
    for number, (run, manifest) in enumerate(manifests.items()):
        value, now = main_value(run, command), standing(run, manifest, queue)
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


def _asked(run: Path, manifest: dict[str, Any]) -> list[str]:
    """Program, command and arguments of a run, also of one that has not begun; empty where nothing tells them."""
    if "argv" in manifest:
        return [manifest["argv"][0], manifest["command"], *manifest["argv"][2:]]
    arguments = (read_job(run) or {}).get("arguments")
    return ["sslrun", *arguments] if arguments else []


def _overrides(argv: Sequence[str]) -> list[str]:
    """What a job's numbers come from: `argv` is program, command, flags, overrides; of the flags --config-dir."""
    given = [a for a in argv[2:] if "=" in a and (a.startswith(CONFIG_DIR) or not a.startswith("-"))]
    return [o for o in given if not o.lstrip("+~").startswith(("run.", "hydra"))]
