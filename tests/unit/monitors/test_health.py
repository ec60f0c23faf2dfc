"""The monitors: what they measure, and the collapse alarm."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.commands import pretrain
from sslrun.config.compose import compose
from sslrun.config.errors import TrainingError
from sslrun.config.loader import LoaderConfig
from sslrun.config.monitor import MonitorConfig, OnCollapse
from sslrun.config.schema import BackboneConfig
from sslrun.core.batch import ViewsBatch
from sslrun.data.build import build_data
from sslrun.methods.base import Method, StepOutput
from sslrun.metrics.alignment import uniformity
from sslrun.monitors import measurements as module
from sslrun.monitors.health import Health
from sslrun.training.module import Training
from sslrun.training.plan import make_plan


class Fixed(Encoder):
    """Pixels, or the same vector for all."""

    num_features = 64

    def __init__(self, *, collapsed: bool) -> None:
        super().__init__()
        self.config, self.inputs, self.collapsed = BackboneConfig(kind="fixed", name="fixed"), {}, collapsed
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor, **rest: Any) -> Tensor:
        return torch.ones(len(x), 64) if self.collapsed else x.flatten(1)

    def library_state(self) -> dict[str, Tensor]:
        return {}

    def load_library_state(self, state: dict[str, Tensor]) -> None: ...


class Holder(Method):
    batch_type = ViewsBatch

    def __init__(self, *, collapsed: bool) -> None:
        super().__init__(None, Fixed(collapsed=collapsed))

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        raise AssertionError("monitors do not train")

    def project(self, features: Tensor) -> Tensor:
        return features[:, :10]


def health(**settings: Any) -> Health:
    config: Any = compose("pretrain", ["augmentation=digits"])
    data = build_data(config.dataset)
    items = data.training(config.augmentation, batch_type=ViewsBatch, seed=0)
    plan = make_plan(config.trainer, LoaderConfig(), config.optimizer, config.schedule, items=len(items))
    return Health(MonitorConfig(items=256, **settings), data, items, plan, seed=0)


def test_pixels_of_digits_are_healthy_and_can_be_probed() -> None:
    watch = health()
    numbers = watch.measurements.measure(Holder(collapsed=False))
    assert numbers["probe/knn1"] > 0.85 and numbers["probe/linear"] > 0.85
    assert 20 < numbers["health/rankme"] < 64
    assert numbers["health/rankme_projector"] <= 10
    assert 0.5 < numbers["health/std"] < 1
    assert 0 < numbers["health/alignment"] < 1 and numbers["health/uniformity"] < -1
    assert numbers == watch.measurements.measure(Holder(collapsed=False))


def test_a_validation_split_without_labels_is_not_probed(monkeypatch: pytest.MonkeyPatch) -> None:
    monitor = health()
    known = monitor.measurements.data.labels
    monkeypatch.setattr(monitor.measurements.data, "labels", lambda split: known(split) if split == "train" else None)
    numbers = monitor.measurements.measure(Holder(collapsed=False))
    assert "health/rankme" in numbers and not any(name.startswith("probe/") for name in numbers)
    assert monitor.rows(Holder(collapsed=False), encoder="pixels") == []


def test_pairs_are_of_the_whole_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    """Positions are sorted, in class folders class after class: the first of them would be some of the classes."""
    watch, asked = health().measurements, []
    view = watch._view
    monkeypatch.setattr(module, "MAX_PAIRS", 100)
    monkeypatch.setattr(watch, "_view", lambda method, positions: asked.append(positions) or view(method, positions))
    numbers = watch.measure(Holder(collapsed=False))
    z = watch._features(Holder(collapsed=False), "train", watch.bank).features  # (256, D)
    assert asked == [watch.bank[::3]]
    assert numbers["health/uniformity"] == float(uniformity(z[::3]))


def test_there_is_no_check_before_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """As after the first micro-batch of an accumulation."""
    watch = health(every_epochs=1.0)
    monkeypatch.setattr(watch.measurements, "measure", lambda method: pytest.fail("measured the untrained net"))
    trainer: Any = SimpleNamespace(global_step=0)
    training: Any = Training.__new__(Training)
    watch.on_train_batch_end(trainer, training, None, None, 0)


def test_collapse_warns_once_after_enough_checks() -> None:
    watch = health(collapse_checks=3)
    numbers = watch.measurements.measure(Holder(collapsed=True))
    assert numbers["health/rankme"] == pytest.approx(1, abs=1e-3) and numbers["health/std"] < 1e-3
    for step in (1, 2):
        assert watch.alarm.check(numbers, step) is None
    assert watch.warnings == []
    alarm = watch.alarm.check(numbers, 3)
    assert alarm is not None and alarm.startswith("collapse at step 3: std 0.000 ")
    assert "for 3 checks; try a lower optimizer.lr" in alarm
    assert watch.alarm.check(numbers, 4) is None
    assert watch.warnings == [alarm]


def test_the_alarm_is_a_line_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = ["monitor.collapse_std=10", "monitor.collapse_checks=1", "monitor.every_epochs=0.1", "monitor.items=64"]
    small = ["augmentation=digits", "backbone=small_cnn", "trainer.steps=1", "loader.workers=0"]
    pretrain.run(compose("pretrain", [*chosen, *small, f"run.dir={tmp_path}"]))  # type: ignore[arg-type]
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "collapse" in line]
    assert line.startswith("collapse at step 1: std ")
    assert line in json.loads((tmp_path / "run.json").read_text())["warnings"]


def test_collapse_stops_where_asked() -> None:
    watch = health(collapse_checks=1, on_collapse=OnCollapse.stop)
    with pytest.raises(TrainingError, match="collapse at step 1"):
        watch.alarm.check(watch.measurements.measure(Holder(collapsed=True)), 1)


def test_probes_learn_from_train_and_are_asked_about_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    measurements = health().measurements
    extracted, probed = [], []
    extract = measurements._features

    def features(method: Method, split: str, positions: list[int]) -> Any:
        found = extract(method, split, positions)
        extracted.append((split, positions, found))
        return found

    monkeypatch.setattr(measurements, "_features", features)
    monkeypatch.setattr(measurements, "_probe_rows", lambda *sides, **options: probed.append(sides) or [])
    measurements.measure(Holder(collapsed=False))
    measurements.rows(Holder(collapsed=False), encoder="")
    assert [seen[:2] for seen in extracted] == [("train", measurements.bank), ("validation", measurements.queries)] * 2
    assert [[id(side) for side in sides] for sides in probed] == [
        [id(seen[2]) for seen in extracted[i : i + 2]] for i in (0, 2)
    ]
