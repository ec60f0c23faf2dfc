"""Rows of results.json: one number each, with its interval."""

import math
from dataclasses import asdict, dataclass
from typing import Any

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Row:
    """One measured number.

    Attributes:
        encoder: name of the run, or `random`, `pixels`, `timm:NAME`.
        dataset: name of the labelled dataset.
        split: `test` or `validation`.
        evaluation: `knn1`, `knn20`, `linear`, `few_labels`, `finetune`, ….
        condition: free text: a corruption, a horizon, a subgroup; empty for the plain test.
        labels: whole number of labels per class, a fraction below 1, or `"all"`.
        metric: `top1`, `top5`, `macro_f1`, `balanced_accuracy`, `auroc`, `ece`, `wer`, `cer`, `loss`, ….
        value: the number, fractions as fractions (0.93, not 93).
        low, high: 95 % interval; None where none can be given.
        n: test items behind the number.
        draws: label subsets (or runs) averaged; 1 where there is one.
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
    labels: int | float | str = "all"

    def as_json(self) -> dict[str, Any]:
        """Plain dict; numbers that are not finite become null, which JSON can carry."""
        return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in asdict(self).items()}
