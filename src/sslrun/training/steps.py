"""A callback for optimizer steps, of which several micro-batches may make one."""

from abc import ABC, abstractmethod
from typing import Any

import pytorch_lightning as pl


class StepCallback(pl.Callback, ABC):
    """`on_step` comes once per optimizer step, where Lightning's `on_train_batch_end` comes once per micro-batch."""

    _seen_step = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A resumed run has done its checkpoint's step: the micro-batches before the next one do not repeat it."""
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
        """After the optimizer step that makes it `step` of them."""
