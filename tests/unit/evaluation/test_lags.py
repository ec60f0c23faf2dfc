"""The raw baseline of series."""

from sslrun.config.dataset.series import WavesConfig
from sslrun.data.series.waves import Waves
from sslrun.evaluation.raw import FeatureBaseline, raw_baseline
from sslrun.evaluation.raw.lags import Lags


def test_it_is_the_baseline_that_series_name() -> None:
    baseline = raw_baseline(Waves(WavesConfig(name="waves", items=100)).raw)
    assert isinstance(baseline, Lags) and isinstance(baseline, FeatureBaseline)


def test_shorter_series_are_filled_with_the_mean() -> None:
    data = Waves(WavesConfig(name="waves", items=100))
    values = Lags().features(data, "test").features.view(20, data.max_length, 3)
    series = data.evaluation("test")[0, 0]["series"]
    assert values.isfinite().all() and (values[0, len(series) :] == 0).all()
