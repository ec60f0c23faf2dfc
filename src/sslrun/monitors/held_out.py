"""The method's own loss on validation, while a run trains and at its end."""

from typing import Any

import numpy as np
import pytorch_lightning as pl
from torch import Tensor

from sslrun.config.monitor import MonitorConfig
from sslrun.core.rows import Row
from sslrun.data.base import Data, Items
from sslrun.data.loader import evaluation_loader
from sslrun.evaluation.held_out import held_out_losses, held_out_numbers, held_out_rows
from sslrun.methods.base import Method
from sslrun.training.loggers import log_now
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.precision import autocast_dtype
from sslrun.training.progress import progress_of


class HeldOut(pl.Callback):
    """Logs `held_out/loss` and `held_out/perplexity` of at most `monitor.items` items every `monitor.every_epochs`.

    Args:
        items: of the validation split in the form of training, their randomness fixed by position.
    """

    def __init__(self, config: MonitorConfig, data: Data, items: Items, plan: Plan, *, seed: int) -> None:
        self.data, self.items, self.plan, self.seed = data, items, plan, seed
        self.every_steps = max(1, round(config.every_epochs * plan.steps_per_epoch)) if config.every_epochs else 0
        order = np.random.Generator(np.random.Philox(seed)).permutation(len(items))
        self.positions = sorted(order[: config.items].tolist())
        self._checked = -1

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Measure where it is due, once per optimizer step."""
        assert isinstance(pl_module, Training)
        step = trainer.global_step
        due = self.every_steps and step and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not due or step == self._checked:
            return
        self._checked = step
        pl_module.check_weights()
        method = pl_module.whole()
        if not trainer.is_global_zero or method is None:
            return
        if (told := self._losses(method, self.positions)) is not None:
            numbers = held_out_numbers(*told, characters=None, is_likelihood=method.is_likelihood)
            log_now(trainer, {f"held_out/{name}": value for name, value in numbers.items()})
            if (progress := progress_of(trainer)) is not None:
                progress.show(held_out=f"{numbers['loss']:.4g}")

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json over the whole split; none where the method tells no such loss."""
        told = self._losses(method, None)
        if told is None:
            return []
        return held_out_rows(
            *told,
            characters=self.items.characters,
            is_likelihood=method.is_likelihood,
            encoder=encoder,
            dataset=self.data.name,
            seed=self.seed,
        )

    def _losses(self, method: Method, positions: list[int] | None) -> tuple[Tensor, Tensor] | None:
        device = next(method.parameters()).device
        loader = evaluation_loader(
            self.data, self.items, positions=positions, batch_size=min(256, self.plan.batch_size), workers=0
        )
        prepare = self.data.prepare().to(device)
        return held_out_losses(method, loader, prepare, device=device, autocast=autocast_dtype(self.plan.precision))
