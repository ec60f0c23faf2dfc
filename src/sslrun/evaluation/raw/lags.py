"""Raw baseline of time series: the normalised values."""

import numpy as np
import torch
import torch.nn.functional as F

from sslrun.data.base import Data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.features import Features

MAX_FEATURES = 4096
"""Longer series are average-pooled over time."""


class Lags:
    """Flattened values; missing ones are set to the mean of train."""

    def features(self, data: Data, split: str) -> Features:
        """(N, T C); missing values and padding are 0."""
        assert isinstance(data, SeriesData)
        items, labels = data.evaluation(split), data.labels(split)
        rows = np.zeros((len(items), data.max_length, data.channels), dtype=np.float32)
        for i in range(len(items)):
            series = items[0, i]["series"]
            rows[i, : len(series)] = np.nan_to_num(series)
        values = torch.from_numpy(rows)
        if values[0].numel() > MAX_FEATURES:
            length = max(1, MAX_FEATURES // data.channels)
            values = F.adaptive_avg_pool1d(values.transpose(1, 2), length).transpose(1, 2)
        return Features(
            features=values.flatten(1),
            labels=None if labels is None else torch.from_numpy(labels),
            index=torch.arange(len(items)),
        )


BASELINE = Lags
