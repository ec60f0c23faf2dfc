"""Series of the UCR and UEA archives, and ETTh1: read as they are, and learnt from."""

import json
from pathlib import Path

import pytest

from sslrun.commands import pretrain, probe
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.command.probe import ProbeConfig
from sslrun.config.compose import compose
from sslrun.config.dataset.series import SeriesConfig
from sslrun.data.series.files import SeriesFiles
from sslrun.evaluation.forecasting import lag_rows

pytestmark = pytest.mark.real

SETS = {
    "ArrowHead": (36, 175, 1, 3),
    "GunPoint": (50, 150, 1, 2),
    "ItalyPowerDemand": (67, 1029, 1, 2),
    "OSULeaf": (200, 242, 1, 6),
    "BasicMotions": (40, 40, 6, 4),
    "JapaneseVowels": (270, 370, 12, 9),
}
"""Series to train and test on, channels, classes: as the archive tells them."""


@pytest.mark.parametrize("name", SETS)
def test_a_set_is_read_whole(name: str, real_data: Path) -> None:
    train, test, channels, classes = SETS[name]
    data = SeriesFiles(SeriesConfig(name=name, path=str(real_data / "ucr" / name)))
    assert data.size("train") + data.size("validation") == train and data.size("test") == test
    assert data.channels == channels and data.classes is not None and len(data.classes) == classes


def test_etth1_has_the_published_splits_and_baselines(real_data: Path) -> None:
    data = SeriesFiles(
        SeriesConfig(
            name="etth1",
            path=str(real_data / "etth1" / "ETTh1.csv"),
            time="date",
            window=96,
            borders=[8640, 11520, 14400],
            horizons=[24],
        )
    )
    rows = {(r.encoder, r.metric): r for r in lag_rows(data, [24], seed=0)}
    assert rows["lags", "mse"].n == 14400 - 11520 - 23  # every window of the test
    assert rows["lags", "mse"].value < 0.35 < 1.0 < rows["last value", "mse"].value


def test_ts2vec_learns_arrowhead(real_data: Path, tmp_path: Path) -> None:
    path = real_data / "ucr" / "ArrowHead"
    overrides = [
        "experiment=series/ts2vec_ucr", f"dataset.path={path}", "dataset.name=ArrowHead",
        "trainer.steps=100", f"run.dir={tmp_path}/run",
    ]  # fmt: skip
    config = compose("pretrain", overrides)
    assert isinstance(config, PretrainConfig)
    pretrain.run(config)
    measured = compose("probe", [f"encoder={tmp_path}/run", "loader.workers=0", f"run.dir={tmp_path}/probe"])
    assert isinstance(measured, ProbeConfig)
    probe.run(measured)
    rows = json.loads((tmp_path / "probe" / "results.json").read_text())["rows"]
    svm = {r["encoder"]: r["value"] for r in rows if r["evaluation"] == "svm"}
    own = next(name for name in svm if name not in ("random", "lags"))
    assert svm[own] >= 0.7 and svm[own] >= svm["random"] - 0.02
