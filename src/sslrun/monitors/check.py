"""When a run is looked at while it trains, and when it has been looked at in vain for long enough."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl

from sslrun.methods.base import Method
from sslrun.training.module import Training
from sslrun.training.plan import Plan

Score = tuple[float, ...]
"""Compared element by element; the larger is the better."""


class Check(pl.Callback, ABC):
    """A look every so many optimizer steps and after the last: once a step, however many micro-batches make one.

    Args:
        every_steps: 0 never looks.
    """

    def __init__(self, plan: Plan, *, every_steps: int) -> None:
        self.plan, self.every_steps = plan, every_steps
        self._checked = -1

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Look where it is due."""
        assert isinstance(pl_module, Training)
        step = trainer.global_step
        due = step and self.every_steps and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not due or step == self._checked:
            return
        self._checked = step
        pl_module.check_weights()
        method = pl_module.whole()
        self.check(trainer, method if trainer.is_global_zero else None, step)

    @abstractmethod
    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Called on all ranks; the method is there on the first alone."""

    def state_dict(self) -> dict[str, Any]:
        """What a resume goes on from."""
        return {"checked": self._checked}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._checked = state_dict.get("checked", -1)


class Patience:
    """Checks in a row without a better score; `limit` of them end a run, None never."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.best: Score | None = None
        self.without_rise = 0

    def saw(self, trainer: pl.Trainer, score: Score | None) -> bool:
        """Whether it is better than all before, alike on all ranks, of which those without the method saw none."""
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
        """What a resume goes on from."""
        return {"best": self.best, "without_rise": self.without_rise}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        best = state_dict["best"]
        self.best = None if best is None else tuple(best) if isinstance(best, list | tuple) else (best,)
        self.without_rise = state_dict.get("without_rise", 0)
