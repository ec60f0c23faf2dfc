"""Validation while fine-tuning: the best weights are kept, and a run that no longer improves stops."""

from collections.abc import Sequence
from typing import Any

import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.data.base import Data, Items
from sslrun.data.loader import evaluation_loader
from sslrun.evaluation.features import Features, extract
from sslrun.methods.classifier import Classifier
from sslrun.training.checkpoints import BEST, Checkpoints
from sslrun.training.loggers import log_now
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.precision import autocast_dtype
from sslrun.training.progress import Progress

MIN_STEPS_BETWEEN = 20
"""With few labels an epoch is a step or two; a check after each would take longer than the training."""


class Validation(pl.Callback):
    """Top-1 and loss on held-out labelled items once an epoch; `probe/top1`, `probe/loss` in the logs.

    Args:
        positions: of `split`, to validate on.
        patience_epochs: checks without a rise before the run stops; None never stops.
    """

    def __init__(
        self, data: Data, split: str, positions: Sequence[int], plan: Plan, *, patience_epochs: int | None
    ) -> None:
        self.data, self.split, self.positions, self.plan = data, split, positions, plan
        self.patience = patience_epochs
        self.every_steps = max(plan.steps_per_epoch, MIN_STEPS_BETWEEN)
        self._best, self._without_rise, self._checked = (-1.0, 0.0), 0, -1

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
        method = pl_module.whole()
        if trainer.is_global_zero and isinstance(method, Classifier):
            scores, features = predict(
                method, self.data, self.data.evaluation(self.split), self.plan, positions=self.positions
            )
            assert features.labels is not None
            top1 = float((scores.argmax(dim=1) == features.labels).double().mean())
            loss = float(F.cross_entropy(scores, features.labels))
            improved = (top1, -loss) > self._best  # few items tie often in top-1
            self._best = max(self._best, (top1, -loss))
            log_now(trainer, {"probe/top1": top1, "probe/loss": loss})
            for callback in trainer.callbacks:  # type: ignore[attr-defined]
                if isinstance(callback, Progress):
                    callback.show(top1=f"{top1:.1%}")
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
        self._best, self._checked = tuple(state_dict["best"]), state_dict["checked"]
        self._without_rise = state_dict["without_rise"]


def predict(
    method: Classifier,
    data: Data,
    dataset: Items,
    plan: Plan,
    *,
    positions: Sequence[int] | None = None,
) -> tuple[Tensor, Features]:
    """(N, C) logits of a classifier in eval mode, and the features and labels they belong to."""
    device = next(method.parameters()).device
    loader = evaluation_loader(data, dataset, positions=positions, batch_size=max(64, plan.micro_batch), workers=0)
    features = extract(
        method.encoder, loader, data.prepare().to(device), device=device, autocast=autocast_dtype(plan.precision)
    )
    with torch.inference_mode():
        return method.logits(features.features.to(device)).cpu(), features
