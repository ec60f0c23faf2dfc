"""Leave one group out: a classifier learns the classes from all groups but one and is scored on that one.

In speech the groups are the speakers, and the number is what to expect for a voice that had no labels. The encoder may
have heard that voice without labels, if it was pretrained on the same dataset.
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
from sslrun.evaluation.few_labels import logistic
from sslrun.evaluation.intervals import EXTREMES, TAIL, extreme_interval, mean_row
from sslrun.evaluation.linear import spread

EVALUATION = "leave_one_group_out"


def group_rows(splits: Mapping[str, Features], data: Data, *, key: RowKey) -> list[Row]:
    """Rows `leave_one_group_out` top1: one per group, `group=…`, and their mean, whose interval is over groups.

    The splits are pooled: items of a group are scored by a logistic regression with a fixed penalty, fitted on the
    items of all other groups; nothing is chosen. Features are standardised with statistics of those others. There are
    no rows if the dataset has fewer than two groups.

    Args:
        splits: features of train, validation and test; `index` says which items of a split they are.
    """
    found = [_labelled(splits[split], data, split) for split in splits if data.size(split)]
    if any(part is None for part in found):
        return []
    features, labels, groups = (
        torch.cat([p[0] for p in found if p]),
        torch.cat([p[1] for p in found if p]),
        np.concatenate([p[2] for p in found if p]),
    )
    names = np.unique(groups)
    if len(names) < 2:
        return []
    key = replace(key, evaluation=EVALUATION)
    rows: list[Row] = []
    accuracies: list[float] = []
    for name in names:
        held = torch.from_numpy(groups == name)
        correct = (_predict(features[~held], labels[~held], features[held]) == labels[held]).double()
        rows.append(mean_row(replace(key, condition=f"group={name}"), "top1", correct))
        accuracies.append(rows[-1].value)
    mean, interval = float(np.mean(accuracies)), mean_interval(accuracies)
    return [key.row("top1", mean, n=len(labels), interval=interval, draws=len(names)), *rows]


def mean_interval(values: list[float]) -> tuple[float, float]:
    """Interval of the mean over groups drawn at random, by Student's t, within [0, 1]; exact if all are right."""
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
    """(M,) classes of (M, D), learnt from (N, D) with (N,) labels."""
    mean, std = train.mean(dim=0), spread(train)
    classes, probabilities = logistic((train - mean) / std, labels, (test - mean) / std)
    return classes[probabilities.argmax(dim=1)]
