"""SupCon: its features, its labels, its limits."""

import pytest
import torch

from small import random_batch, small_config, small_method
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.errors import ConfigError
from sslrun.config.method.supcon import SupConConfig
from sslrun.config.registry import find
from sslrun.methods.base import build_method, check_labels

NUMBERS = {"hidden_dim": 8, "out_dim": 4, "temperature": 0.1, "normalize_features": True}


def test_the_projector_reads_unit_length_where_it_is_told_to() -> None:
    method = small_method("supcon", "cnn").eval()
    features = torch.randn(6, method.encoder.num_features)
    torch.testing.assert_close(method.project(features), method.project(5 * features))
    method.config.normalize_features = False
    assert not torch.allclose(method.project(features), method.project(5 * features))


def test_the_projector_has_no_batch_norm() -> None:
    projector = small_method("supcon", "cnn").projector
    assert [type(layer).__name__ for layer in projector] == ["Linear", "ReLU", "Linear"]


def test_labels_decide_the_positives() -> None:
    method = small_method("supcon", "cnn").eval()
    batch = random_batch(method)
    one_class = {**batch, "label": torch.zeros(8, dtype=torch.int64)}
    assert method(batch).loss.item() != pytest.approx(method(one_class).loss.item(), rel=1e-4)


def test_the_loss_is_scaled_by_the_temperature_where_it_is_asked_for() -> None:
    method = small_method("supcon", "cnn").eval()
    batch = random_batch(method)
    method.config.scale_by_temperature = False
    plain = method(batch).loss.item()
    method.config.scale_by_temperature = True
    assert method(batch).loss.item() == pytest.approx(0.1 * plain, rel=1e-6)


def test_a_dataset_without_labels_is_refused() -> None:
    config = small_config("supcon")
    with pytest.raises(ConfigError, match="method=supcon reads labels; dataset=mine has none for training"):
        check_labels(config.method, dataset="mine", labelled=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_dim": 0}, r"method.hidden_dim must be in \[1, inf\), got 0"),
        ({"out_dim": 0}, r"method.out_dim must be in \[1, inf\), got 0"),
        ({"temperature": 0.0}, r"method.temperature must be in \(0, inf\), got 0"),
    ],
)
def test_limits(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SupConConfig(**{**NUMBERS, **change})


def test_it_is_built_from_its_name() -> None:
    assert find("method", "supcon").config is SupConConfig
    inputs = {"channels": 1, "image_size": 8, "mean": None, "std": None, "classes": 4}
    encoder = build_encoder(SmallCNNConfig(name="small_cnn", width=4), inputs)
    assert build_method(SupConConfig(**NUMBERS), encoder).needs_labels
