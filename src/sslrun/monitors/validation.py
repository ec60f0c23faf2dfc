"""Validation during fine-tuning: best checkpoint and early stopping."""

import pytorch_lightning as pl

from sslrun.evaluation.goals.base import Goal, LabelSplit
from sslrun.methods.base import Method
from sslrun.methods.fine_tuned import FineTuned
from sslrun.monitors.check import EarlyStoppingCheck
from sslrun.training.checkpoints import save_best
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of

MIN_STEPS_BETWEEN = 20
"""With few labels an epoch is a step or two, and checking each would cost more than training."""


class Validation(EarlyStoppingCheck):
    """Runs the goal's check on held-out items every epoch, at least 20 steps apart; logs `probe/*`."""

    def __init__(self, goal: Goal, label_split: LabelSplit, plan: Plan, *, patience: int | None) -> None:
        super().__init__(plan, every_steps=max(plan.steps_per_epoch, MIN_STEPS_BETWEEN), patience=patience)
        self.goal, self.label_split = goal, label_split

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Check and log; save the best checkpoint; stop if patience is over."""
        score = None
        if isinstance(method, FineTuned):
            result = self.goal.check(method, self.label_split.split, self.label_split.validation, self.plan)
            score = result.score
            log_now(trainer, result.logs)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**result.shown)
        if self.patience.update(trainer, score):
            save_best(trainer)
        trainer.should_stop = trainer.should_stop or self.patience.is_over
