"""Metrics of the encoder during a run, on a fixed, unaugmented subset in eval mode."""

from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sslrun.config.monitor import MonitorConfig
from sslrun.core.rows import Row, RowKey
from sslrun.data.base import Data, Items
from sslrun.evaluation.batches import batches_of
from sslrun.evaluation.classification import classification_rows
from sslrun.evaluation.features import Features, extract
from sslrun.evaluation.knn import knn_rows
from sslrun.evaluation.linear import fit_linear
from sslrun.methods.base import Method
from sslrun.metrics.alignment import alignment, uniformity
from sslrun.metrics.rank import rankme, relative_std
from sslrun.training.plan import Plan

MAX_PAIRS = 1024
"""Items for alignment and uniformity, whose cost is quadratic."""


class Measurements:
    """RankMe, std, alignment and uniformity; with labels also kNN and linear probes on validation.

    Attributes:
        bank: positions in train of the items for `health/*` and for training the probes.
        queries: positions in validation.
    """

    def __init__(self, config: MonitorConfig, data: Data, dataset: Items, plan: Plan, *, seed: int) -> None:
        self.config, self.data, self.dataset, self.plan, self.seed = config, data, dataset, plan, seed
        self.bank, self.queries = self._positions("train"), self._positions("validation")

    @cached_property
    def is_labelled(self) -> bool:
        """Whether there are labels to probe with."""
        return bool(self.queries) and all(self.data.labels(split) is not None for split in ("train", "validation"))

    @property
    def monitored(self) -> str:
        """The metric for early stopping and the best checkpoint."""
        return "probe/linear" if self.is_labelled else "health/rankme"

    def measure(self, method: Method) -> dict[str, float]:
        """All metrics of one check."""
        bank = self._features(method, "train", self.bank)
        z = bank.features
        metrics = {"health/rankme": float(rankme(z)), "health/std": float(relative_std(z))}
        projected = self._project(method, z)
        if projected is not None:
            metrics["health/rankme_projector"] = float(rankme(projected))
            metrics["health/std_projector"] = float(relative_std(projected))
        stride = -(-len(z) // MAX_PAIRS)  # over the whole bank, which is often sorted by class
        subset = z[::stride]
        metrics["health/uniformity"] = float(uniformity(subset))
        is_complete = len(z) == len(self.bank)  # with unreadable items pairs would not match
        view = self._view(method, self.bank[::stride]) if is_complete else None
        if view is not None:
            metrics["health/alignment"] = float(alignment(subset, view))
        if self.is_labelled:
            queries = self._features(method, "validation", self.queries)
            for row in self._probe_rows(bank, queries, encoder=""):
                if row.metric == "top1":
                    metrics[f"probe/{row.evaluation}"] = row.value
        return metrics

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json at the end of the run: probes on validation; none without labels."""
        if not self.is_labelled:
            return []
        bank = self._features(method, "train", self.bank)
        return self._probe_rows(bank, self._features(method, "validation", self.queries), encoder=encoder)

    def _probe_rows(self, bank: Features, queries: Features, *, encoder: str) -> list[Row]:
        """kNN and a linear probe with fixed hyperparameters: selecting them on validation would be optimistic.

        `labels` of the rows is the share of train in the bank.
        """
        assert self.data.classes is not None
        name, classes = self.data.name, len(self.data.classes)
        train = bank.labelled(split="train", dataset=name)
        validation = queries.labelled(split="validation", dataset=name)
        share = len(bank.features) / self.data.size("train")
        labels = "all" if share == 1 else float(f"{share:.3g}")
        key = RowKey(encoder=encoder, dataset=name, split="validation", labels=labels, seed=self.seed)
        probe = fit_linear(
            train,
            validation,
            num_classes=classes,
            seed=self.seed,
            learning_rates=[3.0],
            weight_decays=[1e-5],
            min_steps=300,
        )
        linear = classification_rows(
            probe.scores(validation.features), validation.labels, key=replace(key, evaluation="linear"), logits=True,
            resamples=500,
        )  # fmt: skip
        return [*knn_rows(train, validation, num_classes=classes, key=key), *linear]

    def _positions(self, split: str) -> list[int]:
        count = self.data.size(split)
        order = np.random.Generator(np.random.Philox(self.seed)).permutation(count)
        return sorted(order[: self.config.items].tolist())

    def _features(self, method: Method, split: str, positions: list[int]) -> Features:
        return self._extract(method, self.data.evaluation(split), positions)

    def _view(self, method: Method, positions: list[int]) -> Tensor | None:
        """Features of the items' first augmented view, which is the same at every check."""
        if not self.dataset.aligned_with_split:
            return None
        features = self._extract(method, self.dataset, positions)
        return features.features if len(features.features) == len(positions) else None

    def _extract(self, method: Method, items: Items, positions: list[int]) -> Features:
        encoder = next(iter(method.encoders().values()))
        batches = batches_of(
            self.data,
            items,
            device=next(method.parameters()).device,
            precision=self.plan.precision,
            batch_size=min(256, self.plan.micro_batch),
            positions=positions,
        )
        views = replace(batches, prepare=lambda batch: first_view(batches.prepare(batch), reads=encoder.reads))
        return extract(encoder, views)

    def _project(self, method: Method, features: Tensor) -> Tensor | None:
        was_training = method.training
        method.eval()
        with torch.inference_mode():
            projected = method.project(features.to(next(method.parameters()).device))
        method.train(was_training)
        return None if projected is None else projected.float().cpu()


def first_view(batch: dict[str, Any], *, reads: str) -> dict[str, Any]:
    """Set a multi-view batch's encoder input to the first view; other batches are unchanged."""
    return {**batch, reads: batch["views"][0]} if "views" in batch else batch
