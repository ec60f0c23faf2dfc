"""Classes of series by the nearest one, the field's usual yardstick (Bagnall et al. 2017)."""

from dataclasses import replace

import torch
from torch import Tensor

from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.intervals import mean_row
from sslrun.evaluation.probes.base import Frozen, Measured, Probe

ROWS = 256
"""Test items that are compared with train at once."""


class NearestByDistance(Probe):
    """The row `nn1` of the raw values: the nearest neighbour by Euclidean distance; `knn1` is by cosine."""

    @staticmethod
    def fits(data: Data) -> bool:
        return isinstance(data, SeriesData) and data.classes is not None

    def measure(self, frozen: Frozen) -> Measured:
        if frozen.name != self.data.raw or frozen.features is None:
            return Measured()
        train, test = frozen.features["train"], frozen.features["test"]
        assert train.labels is not None and test.labels is not None
        predicted = train.labels[nearest_by_distance(train.features, test.features)]
        key = replace(self.key(frozen.name), evaluation="nn1")
        return Measured([mean_row(key, "top1", (predicted == test.labels).double())])


def nearest_by_distance(train: Tensor, test: Tensor) -> Tensor:
    """(N,) row of `train` (M, D) that is nearest to each of `test` (N, D)."""
    return torch.cat([torch.cdist(chunk, train).argmin(dim=1) for chunk in torch.split(test, ROWS)])


PROBE = NearestByDistance
