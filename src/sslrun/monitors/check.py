"""Checks of a run while it trains, and the end of a run that no longer gets better."""

from abc import abstractmethod
from typing import Any

import pytorch_lightning as pl

from sslrun.methods.base import Method
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.steps import StepCallback

Score = tuple[float, ...]
"""Compared element by element; larger is better."""


class Check(StepCallback):
    """A check every `every_steps` optimizer steps and after the last.

    Args:
        every_steps: 0 means never.
    """

    def __init__(self, plan: Plan, *, every_steps: int) -> None:
        self.plan, self.every_steps = plan, every_steps

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Check if it is time to."""
        assert isinstance(module, Training)
        due = step and self.every_steps and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not due:
            return
        module.check_weights()
        method = module.unsharded()
        self.check(trainer, method if trainer.is_global_zero else None, step)

    @abstractmethod
    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Called on all ranks; only the first has the method."""


class Patience:
    """Checks in a row without a better score; `limit` of them end a run, None never."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.best: Score | None = None
        self.without_rise = 0

    def saw(self, trainer: pl.Trainer, score: Score | None) -> bool:
        """Whether the score is the best so far; the same answer on all ranks, of which only the first has a score."""
        rose = score is not None and (self.best is None or score > self.best)
        self.best = score if rose else self.best
        rose = trainer.strategy.reduce_boolean_decision(rose, all=False)
        self.without_rise = 0 if rose else self.without_rise + 1
        return rose

    @property
    def is_over(self) -> bool:
        """Whether the run is to end."""
        return self.limit is not None and self.without_rise >= self.limit

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run continues from."""
        return {"best": self.best, "without_rise": self.without_rise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        best = state_dict["best"]
        self.best = None if best is None else tuple(best) if isinstance(best, list | tuple) else (best,)
        self.without_rise = state_dict.get("without_rise", 0)


class PatientCheck(Check):
    """A check with a score; a run whose score no longer rises stops.

    Args:
        patience: checks in a row without a better score that end the run; None never does.
    """

    def __init__(self, plan: Plan, *, every_steps: int, patience: int | None) -> None:
        super().__init__(plan, every_steps=every_steps)
        self.patience = Patience(patience)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was killed between its early stop and its results stops again at once; an extended one goes on."""
        super().on_train_start(trainer, pl_module)
        if self.plan.phases[-1].since == trainer.global_step:
            self.patience.without_rise = 0
        trainer.should_stop = trainer.should_stop or self.patience.is_over

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run continues from."""
        return self.patience.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self.patience.load_state_dict(state_dict)
