"""Nearest-neighbour classification of raw series, the standard baseline (Bagnall et al. 2017)."""

from dataclasses import replace

import torch
from torch import Tensor

from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.intervals import mean_row
from sslrun.evaluation.probes.base import FrozenEncoder, Measurement, Probe

CHUNK = 256
"""Test items per distance matrix."""


class NearestByDistance(Probe):
    """Row `nn1` of the raw values: nearest neighbour by Euclidean distance (`knn1` uses cosine similarity)."""

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and data.classes is not None

    def measure(self, frozen: FrozenEncoder) -> Measurement:
        if frozen.name != self.data.raw or frozen.features is None:
            return Measurement()
        train, test = frozen.features["train"], frozen.features["test"]
        assert train.labels is not None and test.labels is not None
        predicted = train.labels[nearest_by_distance(train.features, test.features)]
        key = replace(self.key(frozen.name), evaluation="nn1")
        return Measurement([mean_row(key, "top1", (predicted == test.labels).double())])


def nearest_by_distance(train: Tensor, test: Tensor) -> Tensor:
    """(N,) index of the row of `train` (M, D) nearest to each row of `test` (N, D)."""
    return torch.cat([torch.cdist(chunk, train).argmin(dim=1) for chunk in torch.split(test, CHUNK)])


PROBE = NearestByDistance
