"""Periodic checks during training, and early stopping."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl

from sslrun.methods.base import Method
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.steps import StepCallback

Score = tuple[float, ...]
"""Compared lexicographically; larger is better."""


class Check(StepCallback):
    """Base class of checks every `every_steps` optimizer steps and after the last one.

    Args:
        every_steps: 0 disables the check.
    """

    def __init__(self, plan: Plan, *, every_steps: int) -> None:
        self.plan, self.every_steps = plan, every_steps

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Run the check if it is due."""
        assert isinstance(module, Training)
        is_due = step and self.every_steps and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not is_due:
            return
        module.check_weights()
        method = module.unsharded()
        self.check(trainer, method if trainer.is_global_zero else None, step)

    @abstractmethod
    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Called on all ranks; `method` is None except on rank 0."""


class Patience:
    """Counts consecutive checks without a better score; at `limit` the run should stop (None: never)."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.best: Score | None = None
        self.checks_without_improvement = 0

    def update(self, trainer: pl.Trainer, score: Score | None) -> bool:
        """Whether the score is the best so far, on all ranks; only rank 0 passes a score."""
        improved = score is not None and (self.best is None or score > self.best)
        self.best = score if improved else self.best
        improved = trainer.strategy.reduce_boolean_decision(improved, all=False)
        self.checks_without_improvement = 0 if improved else self.checks_without_improvement + 1
        return improved

    @property
    def is_over(self) -> bool:
        """Whether the run should stop."""
        return self.limit is not None and self.checks_without_improvement >= self.limit

    def state_dict(self) -> dict[str, Any]:
        """State for resuming."""
        return {"best": self.best, "without_rise": self.checks_without_improvement}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        best = state_dict["best"]
        self.best = None if best is None else tuple(best) if isinstance(best, list | tuple) else (best,)
        self.checks_without_improvement = state_dict.get("without_rise", 0)


class EarlyStoppingCheck(Check):
    """A check with a score, which stops a run that no longer improves.

    Args:
        patience: consecutive checks without a better score that stop the run; None never does.
    """

    def __init__(self, plan: Plan, *, every_steps: int, patience: int | None) -> None:
        super().__init__(plan, every_steps=every_steps)
        self.patience = Patience(patience)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run killed between early stopping and its results stops again at once; an extended run continues."""
        super().on_train_start(trainer, pl_module)
        if self.plan.phases[-1].since == trainer.global_step:
            self.patience.checks_without_improvement = 0
        trainer.should_stop = trainer.should_stop or self.patience.is_over

    def state_dict(self) -> dict[str, Any]:
        """State for resuming."""
        return self.patience.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self.patience.load_state_dict(state_dict)
