"""Validation while fine-tuning: the best weights are kept, and a run that no longer improves stops."""

from typing import Any

import pytorch_lightning as pl

from sslrun.evaluation.goals.base import Budget, Goal
from sslrun.methods.base import Method
from sslrun.methods.fine_tuned import FineTuned
from sslrun.monitors.check import Check, Patience
from sslrun.training.checkpoints import save_best
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of

MIN_STEPS_BETWEEN = 20
"""With few labels an epoch is a step or two; a check after each would take longer than the training."""


class Validation(Check):
    """The goal's check on held-out labelled items, every epoch or every 20 steps where an epoch is shorter: `probe/…`.

    Args:
        budget: whose held-out items are looked at.
        patience: checks without a rise before the run stops; None never stops.
    """

    def __init__(self, goal: Goal, budget: Budget, plan: Plan, *, patience: int | None) -> None:
        super().__init__(plan, every_steps=max(plan.steps_per_epoch, MIN_STEPS_BETWEEN))
        self.goal, self.budget, self.patience = goal, budget, Patience(patience)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was killed between its early stop and its results stops again at once; an extended one goes on."""
        if self.plan.phases[-1].since == trainer.global_step:
            self.patience.without_rise = 0
        trainer.should_stop = trainer.should_stop or self.patience.is_over

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Look, keep the best, stop where patience is over."""
        score = None
        if isinstance(method, FineTuned):
            found = self.goal.check(method, self.budget.split, self.budget.validation, self.plan)
            score = found.score
            log_now(trainer, found.logs)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**found.shown)
        if self.patience.saw(trainer, score):
            save_best(trainer)
        trainer.should_stop = trainer.should_stop or self.patience.is_over

    def state_dict(self) -> dict[str, Any]:
        """Counts that a resume goes on from."""
        return {**super().state_dict(), **self.patience.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        super().load_state_dict(state_dict)
        self.patience.load_state_dict(state_dict)
