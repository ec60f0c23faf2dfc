"""Pruning of runs that are trials of a study: they report a logged metric and end when the pruner decides so."""

import warnings
from typing import Any

import optuna
import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from sslrun.config.run import TrialConfig
from sslrun.sweeps.study import load_trial
from sslrun.training.steps import StepCallback

AGREE_EVERY_STEPS = 10
"""Optimizer steps between synchronisations of the verdict over ranks, each of which costs a collective."""


class Pruned(Exception):  # noqa: N818  (not an error)
    """The study's pruner ended the run."""


class TrialLogger(Logger):
    """Reports one logged metric to the trial, once per step, and queries the pruner; on rank 0.

    Attributes:
        verdict: why the run should end; None if it should continue.
    """

    def __init__(self, trial: optuna.Trial, metric: str) -> None:
        super().__init__()
        self.trial, self.metric = trial, metric
        self.verdict: str | None = None
        self._reported = set(trial.study._storage.get_trial(trial._trial_id).intermediate_values)

    name = version = property(lambda self: "trial")

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Report the metric if it is among `metrics`, except for steps that a resumed run repeats."""
        value, step = metrics.get(self.metric), int(step or 0)
        if value is None:
            return
        try:
            if step not in self._reported:
                self.trial.report(float(value), step)
                self._reported.add(step)
            if self.trial.should_prune():
                self.verdict = f"{self.metric} {float(value):.4g} at step {step} is behind other trials"
        except (
            optuna.exceptions.StorageInternalError,
            OSError,
        ) as error:  # a failing storage must not end the training
            warnings.warn(f"trial {self.trial.number} could not be reported: {error}", stacklevel=2)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing; the study has the parameters."""


class Pruning(StepCallback):
    """Ends the run at an optimizer-step boundary, at the same step on all ranks."""

    def __init__(self, logger: TrialLogger | None) -> None:
        self.logger = logger

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Raise Pruned if the pruner on rank 0 decided to end the run."""
        if trainer.world_size > 1 and step % AGREE_EVERY_STEPS:
            return
        verdict = None if self.logger is None else self.logger.verdict
        if trainer.strategy.reduce_boolean_decision(verdict is not None, all=False):
            raise Pruned(verdict or "pruned")


def pruning(trial: TrialConfig, *, is_rank_zero: bool) -> tuple[list[Logger], list[pl.Callback]]:
    """Logger and callback of a trial; empty if the run is none."""
    if trial.study is None:
        return [], []
    if not is_rank_zero:
        return [], [Pruning(None)]
    logger = TrialLogger(load_trial(study=trial.study, storage=trial.storage, number=trial.number), trial.metric)
    return [logger], [Pruning(logger)]
