"""Scores of a split: every row once, and areas that can be told by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.errors import DataError
from sslrun.core.rows import RowKey
from sslrun.data.series.files import SeriesFiles
from sslrun.evaluation.anomalies import anomaly_rows, deviation, score_split, top_windows, window_ranges

KEY = RowKey(encoder="deviation", dataset="x", seed=0)


def recording(folder: Path, values: np.ndarray, anomalies: np.ndarray | None = None) -> SeriesFiles:
    """One recording of 100 rows, not normalised; windows of 10, test from row 80."""
    np.save(folder / "x.npy", values)
    if anomalies is not None:
        np.save(folder / "x_anomalies.npy", anomalies)
    path = str(folder / "x.npy")
    return SeriesFiles(SeriesConfig(name="x", path=path, window=10, borders=[60, 80, 100], mean=[0.0], std=[1.0]))


def test_windows_cover_a_stretch_and_end_with_it() -> None:
    assert list(window_ranges(80, 100, length=10)) == [(80, 90), (85, 95), (90, 100)]
    assert list(window_ranges(80, 93, length=10)) == [(80, 90), (83, 93)]
    assert list(window_ranges(80, 84, length=10)) == [(74, 84)]
    assert list(window_ranges(0, 4, length=10)) == [(0, 4)]


def test_every_row_has_the_mean_of_the_windows_that_saw_it(tmp_path: Path) -> None:
    values = np.arange(100.0)[:, None]
    values[83] = np.nan
    data = recording(tmp_path, values)
    scores = score_split(data, "test", lambda series: series[..., 0] - series[:, :1, 0], batch_size=2)
    expected = np.full(100, np.nan)
    expected[80:85], expected[85:95], expected[95:] = np.arange(5), np.arange(5, 15) - 2.5, np.arange(5, 10)
    expected[85:90], expected[90:95] = (np.arange(5, 10) + np.arange(5)) / 2, (np.arange(5, 10) + np.arange(5)) / 2
    expected[83] = np.nan
    np.testing.assert_allclose(scores[0], expected)
    assert top_windows(scores, data, "test", count=1) == [(9.0, 0, 99)]


def test_areas_are_those_of_scikit_learn(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    anomalies = np.zeros(100)
    anomalies[[82, 83, 95]] = 1
    data = recording(tmp_path, random.standard_normal((100, 1)), anomalies)
    scores = score_split(data, "test", deviation, batch_size=8)
    rows = {(r.condition, r.metric): r for r in anomaly_rows(scores, data, key=KEY)}
    told, truth = scores[0][80:], anomalies[80:] > 0
    np.testing.assert_allclose(told, data.spans("test")[0][0][80:, 0].astype(np.float64) ** 2, rtol=1e-6)
    auroc, precision = rows["timestamp", "auroc"], rows["timestamp", "average_precision"]
    assert auroc.value == pytest.approx(roc_auc_score(truth, told)) and auroc.n == 20
    assert precision.value == pytest.approx(average_precision_score(truth, told))
    assert auroc.low is not None and auroc.high is not None and auroc.low <= auroc.value <= auroc.high
    assert ("window", "auroc") not in rows  # both windows of the test hold an anomaly
    assert rows["window", "score_p99"].n == 2


def test_without_labels_there_is_no_area(tmp_path: Path) -> None:
    data = recording(tmp_path, np.ones((100, 1)))
    scores = score_split(data, "test", deviation, batch_size=8)
    rows = anomaly_rows(scores, data, key=KEY)
    assert [(r.condition, r.metric, r.value) for r in rows] == [
        ("timestamp", "score_p99", 1.0),
        ("window", "score_p99", 1.0),
    ]


def test_a_column_of_anomalies_is_no_channel(tmp_path: Path) -> None:
    lines = [f"{t},{t},{int(t == 41)}" for t in range(100) if t != 50]
    (tmp_path / "x.csv").write_text("t,load,bad\n" + "\n".join(lines) + "\n")
    options = {"name": "x", "path": str(tmp_path / "x.csv"), "time": "t", "window": 10}
    data = SeriesFiles(SeriesConfig(**options, anomaly="bad"))
    known = data.anomalies("test")
    assert (
        data.channels == 1 and known is not None and np.flatnonzero(known[0]).tolist() == [41] and len(known[0]) == 100
    )
    with pytest.raises(DataError, match=r"dataset.anomaly=bat: no such column in x.csv; did you mean 'bad'"):
        SeriesFiles(SeriesConfig(**options, anomaly="bat"))
    np.save(tmp_path / "y.npy", np.zeros((100, 1)))
    np.save(tmp_path / "y_anomalies.npy", np.zeros(99))
    with pytest.raises(DataError, match=r"y_anomalies.npy: shape \(99,\) for an array of \(100, 1\)"):
        SeriesFiles(SeriesConfig(name="y", path=str(tmp_path / "y.npy"), window=10))


def test_of_series_cut_at_random_each_is_scored(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).standard_normal((40, 12, 1)))
    np.save(tmp_path / "x_labels.npy", np.arange(40) % 2)
    data = SeriesFiles(SeriesConfig(name="x", path=str(tmp_path / "x.npy")))
    scores = score_split(data, "test", deviation, batch_size=3)
    assert len(scores) == data.size("test") == 8
    assert all(torch.isfinite(torch.from_numpy(s)).all() for s in scores.values())
