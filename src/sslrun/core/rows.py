"""Rows of results.json: one value each, with its confidence interval."""

import math
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1

Labels = int | float | str
"""Labels per class (int), fraction of each class (float in (0, 1)), or `"all"`."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured value.

    Attributes:
        encoder: name of the run, or `random`, `pixels`, `timm:NAME`.
        dataset: name of the labelled dataset.
        split: `test` or `validation`.
        evaluation: `knn1`, `linear`, `few_labels`, `finetune`, …, as in core/evaluations.py.
        condition: free text: a corruption, a horizon, a subgroup; empty for the plain test set.
        labels: label budget for training.
        metric: `top1`, `top5`, `macro_f1`, `balanced_accuracy`, `auroc`, `ece`, `wer`, `cer`, `loss`, ….
        value: fractions as fractions (0.93, not 93).
        low, high: 95 % confidence interval; None if unknown.
        n: number of test items.
        draws: number of label subsets (or runs) averaged.
        seed: seed of the evaluation.
    """

    encoder: str
    dataset: str
    split: str
    evaluation: str
    metric: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int
    draws: int = 1
    seed: int
    condition: str = ""
    labels: Labels = "all"

    def as_json(self) -> dict[str, Any]:
        """Plain dict; non-finite values become None, as JSON has none."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, kw_only=True)
class RowKey:
    """Attributes of `Row` that are known before measuring."""

    encoder: str
    dataset: str
    split: str = "test"
    evaluation: str = ""
    condition: str = ""
    labels: Labels = "all"
    seed: int

    def row(
        self,
        metric: str,
        value: float,
        *,
        n: int,
        interval: tuple[float, float] | tuple[None, None] = (None, None),
        draws: int = 1,
    ) -> Row:
        """The row of one metric."""
        low, high = interval
        return Row(**vars(self), metric=metric, value=value, low=low, high=high, n=n, draws=draws)
