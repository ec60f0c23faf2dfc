"""Evaluations and metrics in results.json: titles, order, and names in metrics.csv."""

from collections.abc import Mapping
from dataclasses import dataclass, field

SHARES = ("macro_f1", "balanced_accuracy", "auroc", "average_precision", "ece", "wer", "cer")
"""Metrics that are fractions, in addition to top-k and recall@k."""


@dataclass(frozen=True)
class Evaluation:
    """A protocol that measures an encoder.

    Attributes:
        title: for use in sentences.
        logged: metric -> name in metrics.csv, for metrics that are also logged during training.
    """

    title: str
    logged: Mapping[str, str] = field(default_factory=dict)


EVALUATIONS = {
    "finetune": Evaluation("Fine-tuning", logged={"top1": "probe/top1", "wer": "probe/wer", "cer": "probe/cer"}),
    "linear": Evaluation("Linear probe", logged={"top1": "probe/linear"}),
    "few_labels": Evaluation("Few-label probe"),
    "knn20": Evaluation("knn20", logged={"top1": "probe/knn20"}),
    "knn1": Evaluation("knn1", logged={"top1": "probe/knn1"}),
    "zeroshot": Evaluation("Zero-shot"),
    "retrieval": Evaluation("Retrieval"),
    "svm": Evaluation("svm"),
    "nn1": Evaluation("nn1"),
    "leave_one_group_out": Evaluation("Leaving one group out"),
    "forecast": Evaluation("Forecast"),
    "held_out": Evaluation("Held-out loss"),
    "anomaly": Evaluation("Anomaly scores"),
}
"""In the order of reports, most important first."""


def is_share(metric: str) -> bool:
    """Whether a metric is a fraction, shown in %."""
    return metric in SHARES or metric.startswith(("top", "recall@"))
