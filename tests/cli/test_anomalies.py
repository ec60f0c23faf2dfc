"""`sslrun anomalies`: a net that rebuilds series finds what was put into one."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from sslrun.commands import anomalies, pretrain
from sslrun.config.command.anomalies import AnomaliesConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError

INJECTED = (1620, 1700, 1790, 1900)
"""Rows at which the wave stands still, which is no unusual value."""


def write_wave(path: Path) -> Path:
    """Two channels of 2,000 rows with a period of 16; eight rows at each of INJECTED are at rest."""
    random, rows = np.random.Generator(np.random.Philox(0)), np.arange(2000)
    values = np.stack([np.sin(2 * np.pi * rows / 16), np.cos(2 * np.pi * rows / 16)], axis=1)
    bad = np.zeros(len(rows), dtype=int)
    for first in INJECTED:
        values[first : first + 8] = 0.0
        bad[first : first + 8] = 1
    values += 0.05 * random.standard_normal(values.shape)
    lines = [f"{a:.4f},{b:.4f},{c}" for (a, b), c in zip(values, bad, strict=True)]
    path.write_text("x,y,bad\n" + "\n".join(lines) + "\n")
    return path


def trained(tmp_path: Path, *overrides: str) -> Path:
    run = tmp_path / "run"
    dataset = ["dataset=series", f"dataset.path={write_wave(tmp_path / 'wave.csv')}", "dataset.anomaly=bad"]
    config = compose(
        "pretrain",
        [*dataset, "dataset.window=64", "dataset.stride=8", "loader.workers=0", "monitor.every_epochs=0",
         "trainer.precision=fp32", f"run.dir={run}", *overrides],
    )  # fmt: skip
    assert isinstance(config, PretrainConfig)
    pretrain.run(config)
    return run


def scored(tmp_path: Path, *overrides: str) -> None:
    place = [] if any(o.startswith("run.dir") for o in overrides) else [f"run.dir={tmp_path}/scored"]
    config = compose("anomalies", [*overrides, *place])
    assert isinstance(config, AnomaliesConfig)
    anomalies.run(config)


@pytest.mark.draws
def test_what_was_put_in_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["backbone.width=32", "backbone.depth=2", "backbone.heads=4", "backbone.mlp=64", "backbone.patch_size=4"]
    rates = [
        "optimizer.lr=1e-2",
        "method.mask_ratio=0.2",
        "backbone.dropout=0",
        "method.dropout=0",
        "loader.batch_size=16",
    ]
    run = trained(tmp_path, "method=patchtst", "trainer.steps=300", *small, *rates)
    scored(tmp_path, f"encoder={run}")
    rows = json.loads((tmp_path / "scored" / "results.json").read_text())["rows"]
    auroc = {(r["encoder"], r["condition"]): r for r in rows if r["metric"] == "auroc"}
    own = next(encoder for encoder, _ in auroc if encoder not in ("random", "deviation"))
    assert auroc[own, "timestamp"]["value"] > 0.9 > 0.6 > auroc["deviation", "timestamp"]["value"]
    assert auroc[own, "timestamp"]["low"] > auroc["random", "timestamp"]["high"]
    other = [f"dataset.path={tmp_path / 'wave.csv'}", "dataset.columns=[y,x]", "dataset.window=64"]
    scored(tmp_path, f"encoder={run}", "dataset=series", *other, "split=validation", f"run.dir={tmp_path}/other")
    of_other = json.loads((tmp_path / "other" / "results.json").read_text())["rows"]
    assert {(r["split"], r["metric"]) for r in of_other} == {("validation", "score_p99")}
    assert "<svg" in (tmp_path / "scored" / "report.html").read_text()
    with (tmp_path / "scored" / "scores.csv").open() as file:
        told = list(csv.DictReader(file))
    assert [int(row["row"]) for row in told] == list(range(1600, 2000)) and sum(int(r["anomaly"]) for r in told) == 32
    shown = capsys.readouterr().out
    worst = int(shown.split("highest scores:\n")[1].split("row ")[1].split()[0])
    assert any(first <= worst < first + 8 for first in INJECTED)


def test_a_method_that_rebuilds_nothing_is_refused(tmp_path: Path) -> None:
    run = trained(tmp_path, "method=ts2vec", "trainer.steps=1", "backbone.width=8", "backbone.depth=2")
    with pytest.raises(
        ConfigError, match=r"method=ts2vec does not reconstruct series and has no scores; name a run of method=patchtst"
    ):
        scored(tmp_path, f"encoder={run}")
    with pytest.raises(ConfigError, match=r"is not a pretraining run with a checkpoint"):
        scored(tmp_path, "encoder=pixels", "dataset=waves")
    with pytest.raises(ConfigError, match="split=all: no such choice; choose from test, train, validation"):
        scored(tmp_path, f"encoder={run}", "split=all")
