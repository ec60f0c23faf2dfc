"""Configuration of sweeps: `hydra/sweeper=optuna` and `hydra/sweeper=wandb`."""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.checks import check_one_of
from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited

KEY = "hydra.sweeper"
DIRECTIONS = ("maximize", "minimize")


class SamplerName(Enum):
    """Optuna's samplers."""

    tpe = "tpe"
    random = "random"
    cmaes = "cmaes"
    gp = "gp"
    nsgaii = "nsgaii"


class PrunerName(Enum):
    """Optuna's pruners; `halving` is asynchronous successive halving."""

    none = "none"
    median = "median"
    halving = "halving"
    hyperband = "hyperband"


class WandbMethod(Enum):
    """wandb's search methods."""

    grid = "grid"
    random = "random"
    bayes = "bayes"


@dataclass(kw_only=True)
class OptunaConfig(Node):
    """An Optuna study.

    Attributes:
        study_name: null takes the name of the sweep's folder.
        storage: path of a journal file, null for one in the sweep's folder, or a database URL, for several nodes.
        direction: maximize or minimize; a list has one per metric.
        metric: a logged name (`probe/linear`, `health/rankme`) or a row of results.json (`linear/top1`); a list makes
            the search multi-objective; null takes the command's main metric.
        n_trials: total finished trials of the study, earlier sessions included.
        n_jobs: concurrent trials.
        sampler_options, pruner_options: arguments of Optuna's class, `{n_startup_trials: 5}`; not a typed dict, because
            Hydra's command line could not add keys to it.
        seed: of the sampler; null is random.
        max_failures: failed trials tolerated per session.
        params: search space, in the syntax of the command line: `{optimizer.lr: tag(log, interval(1e-3, 1))}`.
    """

    section: ClassVar[str] = KEY

    study_name: str | None = None
    storage: str | None = None
    direction: Any = "maximize"
    metric: Any = None
    n_trials: int = limited(20, at_least=1)
    n_jobs: int = limited(1, at_least=1)
    sampler: SamplerName = SamplerName.tpe
    sampler_options: Any = None
    pruner: PrunerName = PrunerName.none
    pruner_options: Any = None
    seed: int | None = limited(None, at_least=0, below=2**31)
    max_failures: int = limited(3, at_least=0)
    params: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        for direction in self.directions:
            check_one_of(f"{KEY}.direction", direction, DIRECTIONS)
        for name in ("sampler_options", "pruner_options"):
            given = getattr(self, name)
            if given is not None and not isinstance(given, dict):
                raise ConfigError(f"{KEY}.{name} must be {{name: value, …}}, got {given!r}")
            setattr(self, name, given or {})
        if len(self.directions) != len(self.metrics):
            raise ConfigError(
                f"{KEY}.direction has {len(self.directions)}, {KEY}.metric {len(self.metrics)}; name one direction "
                "for each metric"
            )
        if len(self.metrics) > 1:
            if None in self.metrics:
                raise ConfigError(f"{KEY}.metric={self.metrics}: name each of several metrics")
            if self.pruner is not PrunerName.none:
                raise ConfigError(f"{KEY}.pruner={self.pruner.value}: a search for several metrics cannot prune")
            if self.sampler is SamplerName.cmaes:
                raise ConfigError(f"{KEY}.sampler=cmaes searches one metric; take tpe, nsgaii, gp or random")
        if self.storage is not None and "://" in self.storage:
            if re.search(r"://[^/@:]*:[^/@]+@", self.storage):
                raise ConfigError(
                    f"{KEY}.storage holds a password, which would be saved in every run folder; put it into ~/.pgpass "
                    "or $PGPASSWORD"
                )
            if self.study_name is None:
                raise ConfigError(f"{KEY}.study_name is not set; a study in a database needs a name")

    @property
    def directions(self) -> list[str]:
        """One per metric."""
        return [self.direction] if isinstance(self.direction, str) else list(self.direction)

    @property
    def metrics(self) -> list[str | None]:
        """Names; None is the command's main metric."""
        return [self.metric] if self.metric is None or isinstance(self.metric, str) else list(self.metric)


@dataclass(kw_only=True)
class WandbSweepConfig(Node):
    """A sweep file for wandb.

    Attributes:
        method: grid, random or bayes.
        metric: a logged name.
        goal: maximize or minimize.
        name, project, entity: of the sweep on wandb.
        run_cap: maximum number of runs.
        params: as for Optuna.
    """

    section: ClassVar[str] = KEY

    method: WandbMethod = WandbMethod.bayes
    metric: str = "probe/linear"
    goal: str = limited("maximize", one_of=DIRECTIONS)
    name: str | None = None
    project: str | None = None
    entity: str | None = None
    run_cap: int | None = limited(None, at_least=1)
    params: dict[str, Any] = field(default_factory=dict)
