"""Which evaluations a probe makes of which dataset, and of which encoders."""

from typing import Any

import pytest
import torch

from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.compose import compose
from sslrun.config.dataset.series import WavesConfig
from sslrun.config.trainer import Precision
from sslrun.data.base import Data
from sslrun.data.build import build_data
from sslrun.evaluation.probes import probes_of
from sslrun.evaluation.probes.base import FrozenEncoder
from sslrun.evaluation.probes.distance import nearest_by_distance
from sslrun.evaluation.raw import raw_baseline

CONFIG: Any = compose(
    "probe", ["encoder=random", "dataset=digits", "labels=[1]", "draws=2", "loader.workers=0", "loader.batch_size=512"]
)


def frozen(data: Data, name: str, encoder: Any) -> FrozenEncoder:
    return FrozenEncoder(name, encoder, data, CONFIG.loader, "cpu", Precision.fp32)


def test_images_are_probed_by_classes_alone() -> None:
    data = build_data(CONFIG.dataset)
    assert [type(p).__name__ for p in probes_of(data, CONFIG)] == ["Classes"]


def test_series_with_classes_are_compared_as_their_field_does() -> None:
    data = build_data(WavesConfig(name="waves", items=100))
    lags = frozen(data, data.raw, raw_baseline(data.raw))
    rows = [row for probe in probes_of(data, CONFIG) for row in probe.measure(lags).rows]
    assert {r.evaluation for r in rows} == {"knn1", "knn20", "linear", "few_labels", "svm", "nn1"}
    assert all(r.encoder == "lags" and r.n == 20 for r in rows)


def test_features_are_extracted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    data = build_data(CONFIG.dataset)
    inputs = {"channels": 1, "image_size": 8, "mean": [0.5], "std": [0.25]}
    encoder = build_encoder(SmallCNNConfig(name="small_cnn", width=8), inputs)
    batches: list[int] = []
    encoder.register_forward_hook(lambda module, x, z: batches.append(len(z)))
    measured = frozen(data, "mine", encoder)
    for _ in range(2):
        assert measured.features is not None
        assert {s: len(f.features) for s, f in measured.features.items()} == {
            s: data.size(s) for s in ("train", "validation", "test")
        }
    assert sum(batches) == sum(data.size(s) for s in ("train", "validation", "test"))


def test_the_neighbour_is_the_nearest_by_distance_not_by_angle() -> None:
    train = torch.tensor([[1.0, 0.0], [10.0, 10.0]])
    assert nearest_by_distance(train, torch.tensor([[1.0, 1.0], [9.0, 7.0]])).tolist() == [0, 1]
