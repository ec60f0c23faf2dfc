"""Barlow Twins' learning rates and configuration."""

import pytest

from small import small_method
from sslrun.config.errors import ConfigError
from sslrun.config.method.barlow_twins import BarlowTwinsConfig
from sslrun.config.optimizer import LARSConfig
from sslrun.training.optimizers import build_optimizer, parameter_groups

GOOD = {
    "hidden_dim": 8, "out_dim": 8, "off_diagonal": 0.0051, "bias_lr_scale": 0.024, "joint_views": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "limits"),
    [
        ("hidden_dim", 0, r"\[1, inf\)"),
        ("out_dim", 0, r"\[1, inf\)"),
        ("off_diagonal", -1, r"\[0, inf\)"),
        ("bias_lr_scale", 0, r"\(0, inf\)"),
    ],
)
def test_out_of_range(key: str, value: float, limits: str) -> None:
    with pytest.raises(ConfigError, match=rf"method\.{key} must be in {limits}, got {value}"):
        BarlowTwinsConfig(**(GOOD | {key: value}))


def test_biases_and_norms_have_the_papers_rate_and_no_lars() -> None:
    """.2 and .0048, times 2048 / 256."""
    method = small_method("barlow_twins", "cnn")
    groups = parameter_groups(method.named_parameters(), weight_decay=1.5e-6, special=method.param_groups())
    optimizer = build_optimizer(LARSConfig(lr=0.2, weight_decay=1.5e-6), groups, lr=0.2 * 8, fused=False)
    weights, vectors = optimizer.param_groups
    assert all(p.ndim > 1 for p in weights["params"]) and all(p.ndim == 1 for p in vectors["params"])
    assert len(weights["params"]) + len(vectors["params"]) == sum(p.requires_grad for p in method.parameters())
    assert weights["full_lr"] == pytest.approx(0.2 * 8) and vectors["full_lr"] == pytest.approx(0.0048 * 8)
    assert weights["always_adapt"] and not vectors["always_adapt"]
    assert weights["weight_decay"] == 1.5e-6 and vectors["weight_decay"] == 0


def test_one_rate_for_all_needs_no_groups() -> None:
    method = small_method("barlow_twins", "cnn")
    method.config.bias_lr_scale = 1.0
    assert method.param_groups() == []
