"""The method's own loss on validation: of which items, how often, and of which methods."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from small import small_method, write_recordings
from sslrun.commands import pretrain
from sslrun.config.compose import compose
from sslrun.config.loader import LoaderConfig
from sslrun.config.monitor import MonitorConfig
from sslrun.core.batch import ImageBatch, PairBatch, ViewsBatch
from sslrun.data.build import build_data
from sslrun.data.vision.items import PlainImages
from sslrun.monitors.held_out import HeldOut
from sslrun.training.plan import make_plan

VIT = ["backbone=vit_nano", "backbone.patch_size=4", "loader.workers=0", "loader.batch_size=32", "trainer.steps=6"]


@pytest.mark.parametrize("name", ["mae", "simmim"])
def test_masked_images_are_measured_on_as_many_items_as_the_monitors_take(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config: Any = compose("pretrain", [f"method={name}", "dataset=digits", "dataset.channels=3"])
    data = build_data(config.dataset)
    items = data.held_out(config.augmentation, batch_type=ImageBatch)
    assert items is not None and len(items) == data.size("validation")
    read: list[int] = []
    inner = PlainImages.__getitem__
    monkeypatch.setattr(PlainImages, "__getitem__", lambda self, key: read.append(key[1]) or inner(self, key))
    plan = make_plan(config.trainer, LoaderConfig(), config.optimizer, config.schedule, items=1000)
    monitor = HeldOut(MonitorConfig(items=16), data, items, plan, seed=0)
    method = small_method(name, "vit", size=8)
    told = monitor._losses(method, monitor.positions)
    assert told is not None and len(told[0]) == 16 and read == monitor.positions
    assert all(torch.equal(*pair) for pair in zip(told, monitor._losses(method, monitor.positions) or (), strict=True))
    (row,) = monitor.rows(method, encoder="e")
    assert (row.evaluation, row.metric, row.split) == ("held_out", "loss", "validation")
    assert row.low is not None and row.high is not None and row.low < row.value < row.high


def test_views_and_captions_have_no_held_out_loss() -> None:
    config: Any = compose("pretrain", ["method=clip", "dataset=digit_sentences"])
    data = build_data(config.dataset)
    assert data.held_out(config.augmentation, batch_type=PairBatch) is None
    assert data.held_out(config.augmentation, batch_type=ViewsBatch) is None


def losses(path: Path) -> list[float]:
    """Those logged while it trained, then the one of results.json."""
    rows = json.loads((path / "results.json").read_text())["rows"]
    found = [row for row in rows if row["evaluation"] == "held_out"]
    assert [row["metric"] for row in found] == ["loss"]
    with (path / "metrics.csv").open() as file:
        logged = [row["value"] for row in csv.DictReader(file) if row["name"] == "held_out/loss"]
    return [*map(float, logged), found[0]["value"]]


def test_runs_on_images_log_it_at_the_monitors_pace(tmp_path: Path) -> None:
    """35 steps an epoch: a check every third of six steps."""
    paced = ["monitor.every_epochs=0.086", f"run.dir={tmp_path}/run"]
    pretrain.run(compose("pretrain", ["method=mae", "dataset=digits", "augmentation=none", *VIT, *paced]))
    first, last, of_all = losses(tmp_path / "run")
    assert first > last
    assert 0 < of_all < first  # of the last weights, or the best by the probe


def test_runs_on_spectrograms_log_it(tmp_path: Path) -> None:
    data = ["dataset=audio", f"dataset.path={write_recordings(tmp_path / 'recordings')}", "dataset.sample_rate=8000"]
    data += ["dataset.seconds=0.4", "dataset.mels=24", "augmentation=audio_crop", "loader.batch_size=16"]
    options = ["trainer.steps=2", "monitor.every_epochs=1", f"run.dir={tmp_path}/run"]
    pretrain.run(compose("pretrain", ["method=mae", *VIT, *data, *options]))
    assert len(losses(tmp_path / "run")) == 2
