"""Optuna's storages, samplers, pruners and studies by name, and the creation and continuation of trials."""

import inspect
import re
import time
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from sqlalchemy.exc import IntegrityError, ProgrammingError, SQLAlchemyError

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.sweeper import KEY, OptunaConfig, PrunerName, SamplerName
from sslrun.sweeps.journal import open_journal

SAMPLERS: dict[SamplerName, type[BaseSampler]] = {
    SamplerName.tpe: TPESampler,
    SamplerName.random: RandomSampler,
    SamplerName.cmaes: CmaEsSampler,
    SamplerName.gp: GPSampler,
    SamplerName.nsgaii: NSGAIISampler,
}
PRUNERS: dict[PrunerName, type[BasePruner]] = {
    PrunerName.none: NopPruner,
    PrunerName.median: MedianPruner,
    PrunerName.halving: SuccessiveHalvingPruner,
    PrunerName.hyperband: HyperbandPruner,
}
TRIES = 4
"""Attempts to open a database whose tables another process may be creating."""
SWEEP = "sweep"
"""User attribute of a trial: the folder of the sweep that started it, absolute."""
WITHDRAWN = "withdrawn"
"""User attribute of a trial that was withdrawn before its start, because another sweeper started the last one."""
PRUNER = "pruner"
"""User attribute of a study: name and options of its pruner, read by the jobs."""


def open_storage(storage: str) -> BaseStorage:
    """Open a journal file, or the database at a URL.

    Raises:
        RunError: the database cannot be reached, or its driver is absent.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if "://" not in storage:
        return open_journal(Path(storage))
    url = re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", storage)
    for attempt in range(TRIES):
        try:
            return RDBStorage(url)
        except (ImportError, optuna.exceptions.OptunaError, SQLAlchemyError) as error:
            # two sweepers may create the tables at once; the second then fails
            if attempt + 1 < TRIES and isinstance(error, IntegrityError | ProgrammingError):
                time.sleep(1 + attempt)
                continue
            raise RunError(f"{KEY}.storage={storage} cannot be opened: {_cause(error)}") from error
    raise AssertionError


def open_study(config: OptunaConfig, *, name: str, storage: str, salt: str) -> optuna.Study:
    """Create or load the study.

    Args:
        salt: makes the samplers of sweepers that share a database and a seed differ.

    Raises:
        ConfigError: the study has other directions.
    """
    opened = open_storage(storage)
    try:
        study = optuna.create_study(
            study_name=name,
            storage=opened,
            directions=[StudyDirection[d.upper()] for d in config.directions],
            load_if_exists=True,
        )
    except optuna.exceptions.StorageInternalError as error:
        raise RunError(f"{KEY}.storage={storage} cannot be read: {_cause(error)}") from error
    directions = [d.name.lower() for d in study.directions]
    if directions != config.directions:
        raise ConfigError(
            f"{KEY}.direction={config.directions}, but study '{name}' has {directions}; choose another study_name"
        )
    shift = zlib.crc32(salt.encode()) if "://" in storage else 0
    seed = None if config.seed is None else (config.seed + len(study.get_trials(deepcopy=False)) + shift) % 2**32
    study.sampler = make_sampler(config.sampler, config.sampler_options, seed=seed)
    study.pruner = make_pruner(config.pruner, config.pruner_options)
    study.set_user_attr(PRUNER, {"name": config.pruner.value, "options": dict(config.pruner_options)})
    return study


def make_sampler(name: SamplerName, options: Mapping[str, Any], *, seed: int | None) -> BaseSampler:
    """Build a sampler.

    Raises:
        ConfigError: an unknown option, or a missing package.
    """
    sampler = SAMPLERS[name]
    _check_options(f"{KEY}.sampler_options", sampler, options)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            return sampler(**{"seed": seed, **options})
    except ImportError as error:
        raise ConfigError(f"{KEY}.sampler={name.value}: {_cause(error)}") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{KEY}.sampler_options={dict(options)}: {error}") from error


def make_pruner(name: PrunerName, options: Mapping[str, Any]) -> BasePruner:
    """Build a pruner; ConfigError for an unknown option."""
    pruner = PRUNERS[name]
    _check_options(f"{KEY}.pruner_options", pruner, options)
    try:
        return pruner(**options)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{KEY}.pruner_options={dict(options)}: {error}") from error


def ask(study: optuna.Study, distributions: Mapping[str, BaseDistribution], *, sweep: Path) -> optuna.Trial:
    """Create a trial that is marked as this sweep's atomically, so that a crash cannot orphan it.

    A trial of `Study.ask` has no user attributes until they are set afterwards.
    """
    template = optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={SWEEP: str(sweep)})
    study._thread_local.cached_all_trials = None  # as Study.ask does, to reread the storage
    number = study._storage.create_new_trial(study._study_id, template_trial=template)
    return suggest_missing(study, optuna.Trial(study, number), distributions)


def suggest_missing(
    study: optuna.Study, trial: optuna.Trial, distributions: Mapping[str, BaseDistribution]
) -> optuna.Trial:
    """Suggest the parameters that the trial does not have yet, which may be only some of them after a crash.

    Raises:
        ConfigError: earlier trials of the study had other distributions.
    """
    for name, distribution in distributions.items():
        try:
            trial._suggest(name, distribution)
        except ValueError as error:
            raise ConfigError(
                f"{name}: study '{study.study_name}' searched something else before ({_cause(error)}); choose another "
                f"{KEY}.study_name and run.dir"
            ) from error
    return trial


def claimed(study: optuna.Study, *, before: int | None = None) -> int:
    """Number of finished and running trials, which count towards `n_trials`.

    Args:
        before: only count trials with smaller numbers.
    """
    states = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.RUNNING)
    trials = study.get_trials(deepcopy=False, states=states)
    return sum(before is None or trial.number < before for trial in trials)


def finished(study: optuna.Study) -> int:
    """Number of completed or pruned trials."""
    return len(study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED)))


def load_trial(*, study: str, storage: str, number: int) -> optuna.Trial:
    """Load a trial in its job, with the study's pruner."""
    opened = open_storage(storage)
    found = optuna.load_study(study_name=study, storage=opened)
    pruner = found.user_attrs[PRUNER]
    found.pruner = make_pruner(PrunerName(pruner["name"]), pruner["options"])
    return optuna.Trial(found, opened.get_trial_id_from_study_id_trial_number(found._study_id, number))


def _check_options(key: str, cls: type, options: Mapping[str, Any]) -> None:
    known = [name for name in inspect.signature(cls).parameters if name != "self"]
    for option in options:
        if option not in known:
            raise ConfigError(f"{key}.{option}: {cls.__name__} has no such option{did_you_mean(option, known)}")


def _cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    return " ".join(str(cause).split())
