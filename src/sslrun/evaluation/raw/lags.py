"""The baseline of time series that learns nothing: the normalised values themselves."""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import Budget
from sslrun.evaluation.intervals import mean_row
from sslrun.evaluation.svm import svm_row
from sslrun.evaluation.table import ProbeResult, probe_rows

MAX_FEATURES = 4096
"""Longer series are averaged over neighbouring timestamps."""
ROWS = 256
"""Of the test compared with train at once."""


class Lags:
    """Values in order of time, missing ones at train's mean; a logistic regression, and neighbours.

    Beside the rows of an encoder, `nn1` is the nearest neighbour by Euclidean distance, the field's usual yardstick
    (Bagnall et al. 2017); `knn1` is by cosine, as of all encoders.
    """

    def probe(self, data: Data, *, encoder: str, seed: int, budgets: Sequence[Budget], draws: int) -> ProbeResult:
        """All rows of `probe_rows`, the kernel machine's and the neighbour's."""
        assert isinstance(data, SeriesData) and data.classes is not None
        train, validation, test = (values_of(data, split) for split in ("train", "validation", "test"))
        result = probe_rows(
            train,
            validation,
            test,
            encoder=encoder,
            dataset=data.name,
            num_classes=len(data.classes),
            seed=seed,
            budgets=budgets,
            draws=draws,
        )
        result.rows.append(svm_row(train, validation, test, encoder=encoder, dataset=data.name, seed=seed))
        result.rows.append(_neighbour_row(train, test, encoder=encoder, dataset=data.name, seed=seed))
        return result


def values_of(data: SeriesData, split: str) -> Features:
    """(N, T C) of a split, NaN as 0, shorter series filled with 0."""
    items, labels = data.evaluation(split), data.labels(split)
    rows = np.zeros((len(items), data.max_length, data.channels), dtype=np.float32)
    for i in range(len(items)):
        series = items[0, i]["series"]
        rows[i, : len(series)] = np.nan_to_num(series)
    values = torch.from_numpy(rows)
    if values[0].numel() > MAX_FEATURES:
        kept = max(1, MAX_FEATURES // data.channels)
        values = F.adaptive_avg_pool1d(values.transpose(1, 2), kept).transpose(1, 2)
    return Features(
        features=values.flatten(1),
        labels=None if labels is None else torch.from_numpy(labels),
        index=torch.arange(len(items)),
    )


def nearest_by_distance(train: Tensor, test: Tensor) -> Tensor:
    """(N,) row of `train` (M, D) that is nearest to each of `test` (N, D)."""
    return torch.cat([torch.cdist(chunk, train).argmin(dim=1) for chunk in torch.split(test, ROWS)])


def _neighbour_row(train: Features, test: Features, *, encoder: str, dataset: str, seed: int) -> Row:
    assert train.labels is not None and test.labels is not None
    predicted = train.labels[nearest_by_distance(train.features, test.features)]
    correct = (predicted == test.labels).double()
    return mean_row(correct, encoder=encoder, dataset=dataset, split="test", evaluation="nn1", metric="top1", seed=seed)


BASELINE = Lags
