"""Leave-one-group-out cross-validation: train a classifier on all groups but one and test it on that one.

For speech the groups are speakers, and the result estimates the accuracy for a speaker without labels. If the encoder
was pretrained on the same dataset, its unlabelled training data included that speaker.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from scipy import stats
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.data.base import Data
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import predict_logistic
from sslrun.evaluation.intervals import EXTREMES, TAIL, extreme_interval, mean_row
from sslrun.evaluation.linear import feature_std

EVALUATION = "leave_one_group_out"


def group_rows(splits: Mapping[str, Features], data: Data, *, key: RowKey) -> list[Row]:
    """Rows `leave_one_group_out` top1: one per group, `group=…`, and their mean, whose interval is over groups.

    The splits are pooled. The classifier is a logistic regression with a fixed penalty, and features are standardised
    with statistics of the training groups. No rows if the dataset has fewer than two groups.

    Args:
        splits: features of train, validation and test.
    """
    parts = [_labelled(splits[split], data, split) for split in splits if data.size(split)]
    if any(part is None for part in parts):
        return []
    features, labels, groups = (
        torch.cat([p[0] for p in parts if p]),
        torch.cat([p[1] for p in parts if p]),
        np.concatenate([p[2] for p in parts if p]),
    )
    names = np.unique(groups)
    if len(names) < 2:
        return []
    key = replace(key, evaluation=EVALUATION)
    rows: list[Row] = []
    accuracies: list[float] = []
    for name in names:
        is_test = torch.from_numpy(groups == name)
        predicted = _predict(features[~is_test], labels[~is_test], features[is_test])
        correct = (predicted == labels[is_test]).double()
        rows.append(mean_row(replace(key, condition=f"group={name}"), "top1", correct))
        accuracies.append(rows[-1].value)
    mean, interval = float(np.mean(accuracies)), mean_interval(accuracies)
    return [key.row("top1", mean, n=len(labels), interval=interval, draws=len(names)), *rows]


def mean_interval(values: list[float]) -> tuple[float, float]:
    """Student's t interval of the mean over groups, clipped to [0, 1]; exact if all values are 0 or all 1."""
    if values[0] in EXTREMES and len(set(values)) == 1:
        return extreme_interval(values[0], n=len(values))
    half = stats.t.ppf(1 - TAIL, len(values) - 1) * np.std(values, ddof=1) / len(values) ** 0.5
    mean = float(np.mean(values))
    return max(0.0, mean - float(half)), min(1.0, mean + float(half))


def _labelled(of_split: Features, data: Data, split: str) -> tuple[Tensor, Tensor, np.ndarray] | None:
    groups = data.groups(split)
    if groups is None or of_split.labels is None:
        return None
    return of_split.features, of_split.labels, groups[of_split.index.numpy()]


def _predict(train: Tensor, labels: Tensor, test: Tensor) -> Tensor:
    """Fit on (N, D) features and (N,) labels -> (M,) predicted classes of (M, D)."""
    mean, std = train.mean(dim=0), feature_std(train)
    classes, probabilities = predict_logistic((train - mean) / std, labels, (test - mean) / std)
    return classes[probabilities.argmax(dim=1)]
