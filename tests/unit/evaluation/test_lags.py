"""The raw baseline of series."""

import torch

from sslrun.config.dataset.series import WavesConfig
from sslrun.data.series.waves import Waves
from sslrun.evaluation.raw import Fitted, raw_baseline
from sslrun.evaluation.raw.lags import nearest_by_distance, values_of


def test_it_is_the_baseline_that_series_name() -> None:
    data = Waves(WavesConfig(name="waves", items=100))
    baseline = raw_baseline(data.raw)
    assert isinstance(baseline, Fitted)
    result = baseline.probe(data, encoder="lags", seed=0, budgets=[1], draws=2)
    assert {r.evaluation for r in result.rows} == {"knn1", "knn20", "linear", "few_labels", "svm", "nn1"}
    assert all(r.encoder == "lags" and r.n == 20 for r in result.rows)


def test_the_neighbour_is_the_nearest_by_distance_not_by_angle() -> None:
    train = torch.tensor([[1.0, 0.0], [10.0, 10.0]])
    assert nearest_by_distance(train, torch.tensor([[1.0, 1.0], [9.0, 7.0]])).tolist() == [0, 1]


def test_shorter_series_are_filled_with_the_mean() -> None:
    data = Waves(WavesConfig(name="waves", items=100))
    values = values_of(data, "test").features.view(20, data.max_length, 3)
    series = data.evaluation("test")[0, 0]["series"]
    assert values.isfinite().all() and (values[0, len(series) :] == 0).all()
