"""Validation during fine-tuning: the best weights are kept, and a run that no longer improves stops."""

import pytorch_lightning as pl

from sslrun.evaluation.goals.base import Goal, LabelSplit
from sslrun.methods.base import Method
from sslrun.methods.fine_tuned import FineTuned
from sslrun.monitors.check import PatientCheck
from sslrun.training.checkpoints import save_best
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of

MIN_STEPS_BETWEEN = 20
"""With few labels an epoch is a step or two; a check after each would take longer than the training."""


class Validation(PatientCheck):
    """The goal's check on the held-out items, every epoch, or every 20 steps if an epoch is shorter; logs `probe/*`."""

    def __init__(self, goal: Goal, label_split: LabelSplit, plan: Plan, *, patience: int | None) -> None:
        super().__init__(plan, every_steps=max(plan.steps_per_epoch, MIN_STEPS_BETWEEN), patience=patience)
        self.goal, self.label_split = goal, label_split

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Check, keep the best, stop if patience is over."""
        score = None
        if isinstance(method, FineTuned):
            found = self.goal.check(method, self.label_split.split, self.label_split.validation, self.plan)
            score = found.score
            log_now(trainer, found.logs)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**found.shown)
        if self.patience.saw(trainer, score):
            save_best(trainer)
        trainer.should_stop = trainer.should_stop or self.patience.is_over
