"""Is it learning, is it collapsing: checks on a fixed, unaugmented subset, in eval mode, while a run trains."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from sslrun.config.errors import TrainingError
from sslrun.config.monitor import MonitorConfig, OnCollapse
from sslrun.core.rows import Row
from sslrun.data.base import Data, Items
from sslrun.data.loader import evaluation_loader
from sslrun.evaluation.classification import classification_rows
from sslrun.evaluation.features import Features, extract
from sslrun.evaluation.knn import knn_rows
from sslrun.evaluation.linear import fit_linear
from sslrun.methods.base import Method
from sslrun.metrics.alignment import alignment, uniformity
from sslrun.metrics.rank import rankme, relative_std
from sslrun.training.checkpoints import BEST, Checkpoints
from sslrun.training.loggers import log_now
from sslrun.training.module import Training
from sslrun.training.plan import Plan
from sslrun.training.precision import autocast_dtype
from sslrun.training.progress import progress_of

REMEDIES = (
    "try a lower optimizer.lr, a longer schedule.warmup_epochs, stronger augmentation, or a larger loader.batch_size"
)
PAIRS = 1024
"""Of items at most, for alignment and uniformity, whose cost rises with its square."""


class Health(pl.Callback):
    """kNN and linear probe on validation; RankMe, spread, alignment and uniformity; the collapse alarm.

    Logs `probe/*` where there are labels and `health/*` always, every `monitor.every_epochs`.

    Attributes:
        warnings: what was raised as an alarm, for run.json.
        stopped: why the run ended early, or null.
    """

    def __init__(self, config: MonitorConfig, data: Data, dataset: Items, plan: Plan, *, seed: int) -> None:
        self.config, self.data, self.dataset, self.plan, self.seed = config, data, dataset, plan, seed
        self.every_steps = max(1, round(config.every_epochs * plan.steps_per_epoch)) if config.every_epochs else 0
        self.bank = self._positions("train")
        if len(self.bank) < 2:  # one long text has no spread to watch
            self.every_steps = 0
        self.queries = self._positions("validation")
        self.warnings: list[str] = []
        self._below = 0
        self.stopped: str | None = None
        self._best = 0.0
        self._without_rise = 0
        self._checked = -1

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """A run that was killed between its early stop and its results stops again at once; an extended one goes on."""
        if self.plan.phases[-1].since == trainer.global_step:
            self._without_rise, self.stopped = 0, None
        trainer.should_stop = trainer.should_stop or self.stopped is not None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check where it is due, once per optimizer step."""
        assert isinstance(pl_module, Training)
        step = trainer.global_step
        due = step and self.every_steps and (step % self.every_steps == 0 or step == self.plan.total_steps)
        if not due or step == self._checked:
            return
        self._checked = step
        rose = False
        pl_module.check_weights()
        method = pl_module.whole()
        if trainer.is_global_zero and method is not None:
            numbers = self.measure(method)
            log_now(trainer, numbers)
            self._show(trainer, numbers)
            watched = numbers["probe/linear" if self._is_labelled else "health/rankme"]
            rose = watched > self._best
            self._best = max(self._best, watched)
            alarm, progress = self._watch_collapse(numbers, step), progress_of(trainer)
            if alarm is not None and progress is not None:
                progress.tell(alarm)
        rose = trainer.strategy.reduce_boolean_decision(rose, all=False)
        self._without_rise = 0 if rose else self._without_rise + 1
        if rose and self._is_labelled:
            next(c for c in trainer.callbacks if isinstance(c, Checkpoints)).save(trainer, BEST)  # type: ignore[attr-defined]
        if self.config.patience is not None and self._without_rise >= self.config.patience:
            name = "probe/linear" if self._is_labelled else "health/rankme"
            self.stopped = (
                f"stopped early at step {step} of {self.plan.total_steps}: {self._without_rise} checks without "
                f"a better {name} (monitor.patience)"
            )
            trainer.should_stop = True

    def measure(self, method: Method) -> dict[str, float]:
        """All numbers of one check."""
        bank = self._features(method, "train", self.bank)
        z = bank.features
        numbers = {"health/rankme": float(rankme(z)), "health/std": float(relative_std(z))}
        projected = self._project(method, z)
        if projected is not None:
            numbers["health/rankme_projector"] = float(rankme(projected))
            numbers["health/std_projector"] = float(relative_std(projected))
        every = -(-len(z) // PAIRS)  # the bank is in the order of the dataset, often class after class
        few = z[::every]
        numbers["health/uniformity"] = float(uniformity(few))
        is_whole = len(z) == len(self.bank)  # where one could not be read, pairs would be wrong
        view = self._view(method, self.bank[::every]) if is_whole else None
        if view is not None:
            numbers["health/alignment"] = float(alignment(few, view))
        if self._is_labelled:
            queries = self._features(method, "validation", self.queries)
            for row in self._probe_rows(bank, queries, encoder=""):
                if row.metric == "top1":
                    numbers[f"probe/{row.evaluation}"] = row.value
        return numbers

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json at the end of the run: probes on validation, none where there are no labels."""
        if not self._is_labelled:
            return []
        bank = self._features(method, "train", self.bank)
        return self._probe_rows(bank, self._features(method, "validation", self.queries), encoder=encoder)

    def state_dict(self) -> dict[str, Any]:
        """Counts that a resume goes on from."""
        return {
            "below": self._below,
            "best": self._best,
            "warnings": self.warnings,
            "checked": self._checked,
            "without_rise": self._without_rise,
            "stopped": self.stopped,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._below, self._best = state_dict["below"], state_dict["best"]
        self.warnings, self._checked = list(state_dict["warnings"]), state_dict["checked"]
        self._without_rise, self.stopped = state_dict.get("without_rise", 0), state_dict.get("stopped")

    def _probe_rows(self, bank: Features, queries: Features, *, encoder: str) -> list[Row]:
        """kNN, and one linear head with fixed settings: a grid chosen on validation would flatter itself here.

        `labels` of the rows is the share of train in the bank.
        """
        assert bank.labels is not None and queries.labels is not None and self.data.classes is not None
        sides = (bank.features, bank.labels, queries.features, queries.labels)
        about: dict[str, Any] = {
            "encoder": encoder,
            "dataset": self.data.name,
            "split": "validation",
            "seed": self.seed,
        }
        classes = len(self.data.classes)
        probe = fit_linear(
            *sides, num_classes=classes, seed=self.seed, learning_rates=[3.0], weight_decays=[1e-5], min_steps=300
        )
        scores = probe.scores(queries.features)
        linear = classification_rows(scores, queries.labels, evaluation="linear", logits=True, resamples=500, **about)
        share = len(bank.features) / self.data.size("train")
        used = "all" if share == 1 else float(f"{share:.3g}")
        return [replace(row, labels=used) for row in [*knn_rows(*sides, num_classes=classes, **about), *linear]]

    def _positions(self, split: str) -> list[int]:
        count = self.data.size(split)
        order = np.random.Generator(np.random.Philox(self.seed)).permutation(count)
        return sorted(order[: self.config.items].tolist())

    def _features(self, method: Method, split: str, positions: list[int]) -> Features:
        return self._extract(method, self.data.evaluation(split), positions)

    def _view(self, method: Method, positions: list[int]) -> Tensor | None:
        """Features of the first augmented view of the same images, the same view at every check."""
        if not self.dataset.are_of_split:
            return None
        features = self._extract(method, self.dataset, positions)
        return features.features if len(features.features) == len(positions) else None

    def _extract(self, method: Method, dataset: Items, positions: list[int]) -> Features:
        loader = evaluation_loader(
            self.data, dataset, positions=positions, batch_size=min(256, self.plan.batch_size), workers=0
        )
        device = next(method.parameters()).device
        encoder = next(iter(method.encoders().values()))
        prepare = self.data.prepare().to(device)
        return extract(
            encoder,
            loader,
            lambda batch: first_view(prepare(batch), reads=encoder.reads),
            device=device,
            autocast=autocast_dtype(self.plan.precision),
        )

    def _project(self, method: Method, features: Tensor) -> Tensor | None:
        was_training = method.training
        method.eval()
        with torch.inference_mode():
            projected = method.project(features.to(next(method.parameters()).device))
        method.train(was_training)
        return None if projected is None else projected.float().cpu()

    def _watch_collapse(self, numbers: dict[str, float], step: int) -> str | None:
        """The alarm, when it is due; TrainingError where it is to stop the run."""
        low = numbers["health/std"] < self.config.collapse_std or numbers["health/rankme"] < self.config.collapse_rank
        self._below = self._below + 1 if low else 0
        if self._below != self.config.collapse_checks:
            return None
        text = (
            f"collapse at step {step}: std {numbers['health/std']:.3f} (alarm below {self.config.collapse_std:g}), "
            f"RankMe {numbers['health/rankme']:.2f} (alarm below {self.config.collapse_rank:g}) for "
            f"{self._below} checks; {REMEDIES}"
        )
        self.warnings.append(text)
        if self.config.on_collapse is OnCollapse.stop:
            raise TrainingError(text)
        return text

    @cached_property
    def _is_labelled(self) -> bool:
        return bool(self.queries) and all(self.data.labels(split) is not None for split in ("train", "validation"))

    @staticmethod
    def _show(trainer: pl.Trainer, numbers: dict[str, float]) -> None:
        shown = {k.split("/")[1]: f"{numbers[k]:.1%}" for k in ("probe/knn20", "probe/linear") if k in numbers}
        shown["rank"] = f"{numbers['health/rankme']:.0f}"
        if (progress := progress_of(trainer)) is not None:
            progress.show(**shown)


def first_view(batch: dict[str, Any], *, reads: str) -> dict[str, Any]:
    """A batch of views as a batch of what the encoder reads, the first view each; other batches as they are."""
    return {**batch, reads: batch["views"][0]} if "views" in batch else batch
