"""A run that is a trial of a study: it reports what it logs, and ends where the study's pruner gives it up."""

import warnings
from typing import Any

import optuna
import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger
from pytorch_lightning.utilities import rank_zero_only

from sslrun.config.run import TrialConfig
from sslrun.sweeps.study import trial_of
from sslrun.training.steps import StepCallback

AGREE_EVERY_STEPS = 10
"""Optimizer steps between two agreements over several ranks, which cost a collective."""


class Pruned(Exception):  # noqa: N818  (asked for, no error)
    """The study's pruner gave the run up."""


class TrialLogger(Logger):
    """Reports one logged name to the trial, each step once, and asks the pruner; on rank 0.

    Attributes:
        verdict: why the run should end; None while it may go on.
    """

    def __init__(self, trial: optuna.Trial, metric: str) -> None:
        super().__init__()
        self.trial, self.metric = trial, metric
        self.verdict: str | None = None
        self._reported = set(trial.study._storage.get_trial(trial._trial_id).intermediate_values)

    name = version = property(lambda self: "trial")

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Report the number if it is among them; a resumed run repeats some steps."""
        value, step = metrics.get(self.metric), int(step or 0)
        if value is None:
            return
        try:
            if step not in self._reported:
                self.trial.report(float(value), step)
                self._reported.add(step)
            if self.trial.should_prune():
                self.verdict = f"{self.metric} {float(value):.4g} at step {step} is behind other trials"
        except (optuna.exceptions.StorageInternalError, OSError) as error:  # training is worth more than its pruner
            warnings.warn(f"trial {self.trial.number} could not be reported: {error}", stacklevel=2)

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """The study has the parameters."""


class Pruning(StepCallback):
    """Ends the run at an optimizer-step boundary, on all ranks at the same step."""

    def __init__(self, logger: TrialLogger | None) -> None:
        self.logger = logger

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Raise Pruned if the pruner's verdict on rank 0 is to end."""
        if trainer.world_size > 1 and step % AGREE_EVERY_STEPS:
            return
        verdict = None if self.logger is None else self.logger.verdict
        if trainer.strategy.reduce_boolean_decision(verdict is not None, all=False):
            raise Pruned(verdict or "pruned")


def pruning(trial: TrialConfig, *, is_rank_zero: bool) -> tuple[list[Logger], list[pl.Callback]]:
    """Logger and callback of a trial; nothing if the run is not one."""
    if trial.study is None:
        return [], []
    if not is_rank_zero:
        return [], [Pruning(None)]
    logger = TrialLogger(trial_of(study=trial.study, storage=trial.storage, number=trial.number), trial.metric)
    return [logger], [Pruning(logger)]
