"""The monitors: what they measure, and the collapse alarm."""

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.compose import compose
from sslrun.config.errors import TrainingError
from sslrun.config.loader import LoaderConfig
from sslrun.config.monitor import MonitorConfig, OnCollapse
from sslrun.config.schema import BackboneConfig
from sslrun.core.batch import ViewsBatch
from sslrun.data.build import build_data
from sslrun.methods.base import Method, StepOutput
from sslrun.monitors.health import Health
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
        super().__init__()
        self.encoder = Fixed(collapsed=collapsed)

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
    numbers = watch.measure(Holder(collapsed=False))
    assert numbers["probe/knn1"] > 0.85 and numbers["probe/linear"] > 0.85
    assert 20 < numbers["health/rankme"] < 64
    assert numbers["health/rankme_projector"] <= 10
    assert 0.5 < numbers["health/std"] < 1
    assert 0 < numbers["health/alignment"] < 1 and numbers["health/uniformity"] < -1
    assert numbers == watch.measure(Holder(collapsed=False))


def test_collapse_warns_once_after_enough_checks() -> None:
    watch = health(collapse_checks=3)
    numbers = watch.measure(Holder(collapsed=True))
    assert numbers["health/rankme"] == pytest.approx(1, abs=1e-3) and numbers["health/std"] < 1e-3
    for step in (1, 2):
        watch._watch_collapse(numbers, step)
    assert watch.warnings == []
    with pytest.warns(UserWarning, match=r"collapse at step 3: std 0.000 .* for 3 checks; try a lower optimizer.lr"):
        watch._watch_collapse(numbers, 3)
    watch._watch_collapse(numbers, 4)
    assert len(watch.warnings) == 1


def test_collapse_stops_where_asked() -> None:
    watch = health(collapse_checks=1, on_collapse=OnCollapse.stop)
    with pytest.raises(TrainingError, match="collapse at step 1"):
        watch._watch_collapse(watch.measure(Holder(collapsed=True)), 1)
