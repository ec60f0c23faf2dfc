"""Overrides and run folder of a trial."""

from pathlib import Path

import optuna

from sslrun.config.overrides import quoted
from sslrun.config.sweeper import PrunerName
from sslrun.sweeps.objective import watched_metric
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.search import Search
from sslrun.sweeps.study import SWEEP


def folder_of(trial: optuna.Trial) -> Path:
    """The trial's run folder, below the sweep that started it."""
    return Path(trial.user_attrs[SWEEP]) / str(trial.number)


def job_overrides(trial: optuna.Trial, search: Search, record: SweepRecord) -> list[str]:
    """The overrides of a trial's job."""
    sweep = folder_of(trial).parent
    sweep_dir = [] if sweep == search.folder else [f"hydra.sweep.dir={quoted(str(sweep))}"]
    return [*search.space.overrides(trial.params), *sweep_dir, *_trial_override(trial, search, record)]


def _trial_override(trial: optuna.Trial, search: Search, record: SweepRecord) -> list[str]:
    """The override that identifies the trial to its job; empty without a pruner."""
    if search.config.pruner is PrunerName.none:
        return []
    metric = watched_metric(record.metrics[0], command=record.command)
    named = {"study": record.study, "storage": record.storage, "metric": metric}
    fields = [f"{key}:{quoted(value)}" for key, value in named.items()]
    return [f"run.trial={{{','.join([*fields, f'number:{trial.number}'])}}}"]
