"""A callback per optimizer step, which may consist of several micro-batches."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl


class StepCallback(pl.Callback, ABC):
    """Calls `on_step` once per optimizer step; Lightning calls `on_train_batch_end` once per micro-batch."""

    _seen_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Mark a resumed run's step as seen, so that the micro-batches of the next step do not trigger it again."""
        self._seen_step = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Call `on_step` at the last micro-batch of a step."""
        if trainer.global_step != self._seen_step:
            self._seen_step = trainer.global_step
            self.on_step(trainer, pl_module, trainer.global_step)

    @abstractmethod
    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Called after optimizer step number `step`, counted from 1."""
