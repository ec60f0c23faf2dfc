"""The method's own loss on validation, during a run and at its end."""

import numpy as np
import pytorch_lightning as pl
from torch import Tensor

from sslrun.config.monitor import MonitorConfig
from sslrun.core.rows import Row, RowKey
from sslrun.data.base import Data, Items
from sslrun.evaluation.batches import batches_of
from sslrun.evaluation.held_out import held_out_losses, held_out_metrics, held_out_rows
from sslrun.methods.base import Method
from sslrun.monitors.check import Check
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of


class HeldOut(Check):
    """Logs `held_out/loss` and `held_out/perplexity` of at most `monitor.items` items every `monitor.every_epochs`.

    Args:
        items: the validation split, transformed as for training, with randomness fixed by position.
    """

    def __init__(self, config: MonitorConfig, data: Data, items: Items, plan: Plan, *, seed: int) -> None:
        super().__init__(plan, every_steps=plan.steps_of(config.every_epochs))
        self.data, self.items, self.seed = data, items, seed
        order = np.random.Generator(np.random.Philox(seed)).permutation(len(items))
        self.positions = sorted(order[: config.items].tolist())

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Measure and log."""
        if method is None or (losses := self._losses(method, self.positions)) is None:
            return
        metrics = held_out_metrics(*losses, characters=None, is_likelihood=method.is_likelihood)
        log_now(trainer, {f"held_out/{name}": value for name, value in metrics.items()})
        if (progress := progress_of(trainer)) is not None:
            progress.show(held_out=f"{metrics['loss']:.4g}")

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json over the whole split; none if the method has no per-row loss."""
        losses = self._losses(method, None)
        if losses is None:
            return []
        key = RowKey(encoder=encoder, dataset=self.data.name, split="validation", seed=self.seed)
        return held_out_rows(*losses, characters=self.items.characters, is_likelihood=method.is_likelihood, key=key)

    def _losses(self, method: Method, positions: list[int] | None) -> tuple[Tensor, Tensor] | None:
        batches = batches_of(
            self.data,
            self.items,
            device=next(method.parameters()).device,
            precision=self.plan.precision,
            batch_size=min(256, self.plan.micro_batch),
            positions=positions,
        )
        return held_out_losses(method, batches)
