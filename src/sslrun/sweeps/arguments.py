"""A trial's overrides, and its folder."""

from pathlib import Path

import optuna

from sslrun.config.overrides import quoted
from sslrun.config.sweeper import PrunerName
from sslrun.sweeps.objective import watched_metric
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.search import Search
from sslrun.sweeps.study import SWEEP


def folder_of(trial: optuna.Trial) -> Path:
    """Its run folder, below the sweep that started it."""
    return Path(trial.user_attrs[SWEEP]) / str(trial.number)


def job_overrides(trial: optuna.Trial, search: Search, record: SweepRecord) -> list[str]:
    """The overrides of a trial's job."""
    sweep = folder_of(trial).parent
    there = [] if sweep == search.folder else [f"hydra.sweep.dir={quoted(str(sweep))}"]
    return [*search.space.overrides(trial.params), *there, *_place_in_study(trial, search, record)]


def _place_in_study(trial: optuna.Trial, search: Search, record: SweepRecord) -> list[str]:
    """The override that names the trial to its job; without a pruner it need not know."""
    if search.config.pruner is PrunerName.none:
        return []
    metric = watched_metric(record.metrics[0], command=record.command)
    named = {"study": record.study, "storage": record.storage, "metric": metric}
    fields = [f"{key}:{quoted(value)}" for key, value in named.items()]
    return [f"run.trial={{{','.join([*fields, f'number:{trial.number}'])}}}"]
