"""Forecasts: which places count, what each may see, and errors that are known beforehand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from small import BACKBONES, INPUTS
from sslrun.backbones.folder import build_encoder
from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.errors import DataError
from sslrun.core.rows import RowKey
from sslrun.data.series.files import SeriesFiles
from sslrun.evaluation import forecasting
from sslrun.evaluation.forecasting import Encoded, forecast_rows, forecast_windows, lag_rows, last_value, last_vector


def counting(folder: Path, values: np.ndarray) -> SeriesFiles:
    """One recording of 100 rows, not normalised; windows of 10, train to 60, validation to 80."""
    np.save(folder / "x.npy", values)
    channels = values.shape[1]
    return SeriesFiles(
        SeriesConfig(
            name="x",
            path=str(folder / "x.npy"),
            window=10,
            stride=10,
            borders=[60, 80, 100],
            horizons=[3, 5],
            mean=[0.0] * channels,
            std=[1.0] * channels,
        )
    )


def test_every_place_counts_and_futures_stay_in_their_split(tmp_path: Path) -> None:
    data = counting(tmp_path, np.arange(100.0)[:, None])
    train, test = forecast_windows(data, "train", horizon=3), forecast_windows(data, "test", horizon=3)
    assert train.context[0, :, 0].tolist() == list(range(10)) and train.future[0, :, 0].tolist() == [10, 11, 12]
    assert train.future[-1, :, 0].tolist() == [57, 58, 59]
    assert test.context[0, :, 0].tolist() == list(range(70, 80)) and test.future[0, :, 0].tolist() == [80, 81, 82]
    assert test.future[-1, :, 0].tolist() == [97, 98, 99] and len(test.future) == 18


def test_a_sine_is_told_by_its_lags_and_not_by_its_last_value(tmp_path: Path) -> None:
    data = counting(tmp_path, np.sin(np.arange(100) / 3.0)[:, None])
    values = {(r.encoder, r.condition, r.metric): r.value for r in lag_rows(data, (3, 5), seed=0)}
    assert values["lags", "horizon=5", "mse"] < 0.01
    sine, hours = np.sin(np.arange(100) / 3.0), np.arange(80, 98)
    by_hand = np.mean([np.square(sine[t : t + 3] - sine[t - 1]).mean() for t in hours])
    assert values["last value", "horizon=3", "mse"] == pytest.approx(by_hand, rel=1e-5)


@pytest.mark.parametrize("best", [0.1, 1000.0])
def test_validation_chooses_the_penalty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, best: float) -> None:
    """A sine wants the least, noise the most."""
    values = np.sin(np.arange(100) / 3.0) if best < 1 else np.random.default_rng(0).normal(size=100)
    data = counting(tmp_path, values[:, None])
    chosen = lag_rows(data, (3,), seed=0)
    for penalties, is_same in (((best,), True), ((100 / best,), False)):
        monkeypatch.setattr(forecasting, "PENALTIES", penalties)
        assert (lag_rows(data, (3,), seed=0) == chosen) == is_same


def test_level_and_scale_are_put_back(tmp_path: Path) -> None:
    """An encoder that takes the level out of a ramp forecasts it well all the same."""
    data = counting(tmp_path, np.arange(100.0)[:, None])

    def represent(context: torch.Tensor) -> Encoded:
        level = context.mean(dim=1)  # (N, 1)
        return Encoded(context[:, -1] - level, level, torch.ones_like(level))

    rows = forecast_rows(data, (3, 5), represent, key=RowKey(encoder="e", dataset=data.name, seed=0))
    assert {(r.condition, r.metric, r.n) for r in rows} == {
        (f"horizon={h}", m, n) for h, n in ((3, 18), (5, 16)) for m in ("mse", "mae")
    }
    assert all(r.value < 1e-6 for r in rows)


def test_missing_values_are_passed_over() -> None:
    context = torch.tensor([[1.0, 2.0, torch.nan], [torch.nan] * 3, [5.0, torch.nan, 7.0]])[..., None]
    assert last_value(context)[:, 0].tolist() == [2, 0, 7]


@pytest.mark.parametrize("name", ["ts2vec", "cpc"])
def test_the_vector_is_that_of_the_last_known_value(name: str) -> None:
    torch.manual_seed(0)
    encoder = build_encoder(BACKBONES[name], INPUTS["series"]).eval()
    series = torch.randn(3, 20, 2)
    series[1, 14:] = torch.nan
    series[2] = torch.nan
    vectors, _, _ = last_vector(encoder, device="cpu")(series)
    assert torch.equal(vectors[0], encoder.tokens(series)[0, -1])
    torch.testing.assert_close(vectors[1], encoder.tokens(series[1:2, :14])[0, -1], rtol=1e-4, atol=1e-5)
    assert vectors[1].abs().max() > 0 and vectors[2].isfinite().all()


def test_a_horizon_that_does_not_fit_is_an_error(tmp_path: Path) -> None:
    data = counting(tmp_path, np.arange(100.0)[:, None])
    with pytest.raises(DataError, match=r"dataset.horizons=30: validation of x has no window of 10 rows"):
        lag_rows(data, (30,), seed=0)
