"""Validation while fine-tuning: the best weights are kept, and a run that no longer improves stops."""

from typing import Any

import pytorch_lightning as pl

from sslrun.evaluation.goals.base import Budget, Goal
from sslrun.methods.fine_tuned import FineTuned
from sslrun.training.checkpoints import BEST, Checkpoints
from sslrun.training.loggers import log_now
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of

MIN_STEPS_BETWEEN = 20
"""With few labels an epoch is a step or two; a check after each would take longer than the training."""


class Validation(pl.Callback):
    """The goal's check on held-out labelled items, every epoch or every 20 steps where an epoch is shorter: `probe/…`.

    Args:
        budget: whose held-out items are looked at.
        patience: checks without a rise before the run stops; None never stops.
    """

    def __init__(self, goal: Goal, budget: Budget, plan: Plan, *, patience: int | None) -> None:
        self.goal, self.budget, self.plan = goal, budget, plan
        self.patience = patience
        self.every_steps = max(plan.steps_per_epoch, MIN_STEPS_BETWEEN)
        self._best: tuple[float, ...] | None = None
        self._without_rise, self._checked = 0, -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was killed between its early stop and its results stops again at once; an extended one goes on."""
        if self.plan.phases[-1].since == trainer.global_step:
            self._without_rise = 0
        trainer.should_stop = trainer.should_stop or self._out_of_patience

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check, keep the best, stop where patience is over."""
        assert isinstance(pl_module, Training)
        step = trainer.global_step
        due = step and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not due or step == self._checked:
            return
        self._checked = step
        improved = False
        pl_module.check_weights()
        method = pl_module.whole()
        if trainer.is_global_zero and isinstance(method, FineTuned):
            check = self.goal.check(method, self.budget.split, self.budget.validation, self.plan)
            improved = self._best is None or check.score > self._best
            self._best = check.score if improved else self._best
            log_now(trainer, check.logs)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**check.shown)
        improved = trainer.strategy.reduce_boolean_decision(improved, all=False)
        self._without_rise = 0 if improved else self._without_rise + 1
        if improved:
            next(c for c in trainer.callbacks if isinstance(c, Checkpoints)).save(trainer, BEST)  # type: ignore[attr-defined]
        trainer.should_stop = trainer.should_stop or self._out_of_patience

    @property
    def _out_of_patience(self) -> bool:
        return self.patience is not None and self._without_rise >= self.patience

    def state_dict(self) -> dict[str, Any]:
        """Counts that a resume goes on from."""
        return {"best": self._best, "without_rise": self._without_rise, "checked": self._checked}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        best = state_dict["best"]
        self._best, self._checked = None if best is None else tuple(best), state_dict["checked"]
        self._without_rise = state_dict["without_rise"]
