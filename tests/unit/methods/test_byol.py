"""BYOL: eq. 2 with its target, the stop-gradient, views apart and joint, the target's decay."""

from typing import Any

import numpy as np
import pytest
import torch

from small import random_batch, small_method
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.methods.byol import BYOL


def small(backbone: str = "cnn", **fields: Any) -> BYOL:
    """With a target that is not the online net."""
    method = small_method("byol", backbone)
    assert isinstance(method, BYOL)
    for key, value in fields.items():
        assert hasattr(method.config, key)
        setattr(method.config, key, value)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        for p in method.target_projector.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=generator))
    return method


def equation_2(p: np.ndarray, t: np.ndarray) -> float:
    p, t = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (p, t))
    return float(((p - t) ** 2).sum(axis=1).mean())


def test_the_loss_is_equation_2_both_ways() -> None:
    method = small()
    views = random_batch(method)["views"]
    p1, p2 = (method.predictor(method.projector(method.encoder(x))).detach().double().numpy() for x in views)
    t1, t2 = (method.target_projector(method.target_encoder(x)).double().numpy() for x in views)
    expected = equation_2(p1, t2) + equation_2(p2, t1)
    assert method({"views": views}).loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_target_takes_no_gradient_and_follows_by_its_decay() -> None:
    method = small(decay_start=0.9)
    method(random_batch(method)).loss.backward()
    assert all(p.grad is None for p in (*method.target_encoder.parameters(), *method.target_projector.parameters()))
    pairs = [
        *zip(method.target_encoder.parameters(), method.encoder.parameters(), strict=True),
        *zip(method.target_projector.parameters(), method.projector.parameters(), strict=True),
    ]
    for progress, decay in ((0.0, 0.9), (0.5, 0.95), (1.0, 1.0)):  # 1 - (1 - tau) (cos(pi k / K) + 1) / 2
        before = [target.clone() for target, _ in pairs]
        method.after_step(progress)
        for old, (target, online) in zip(before, pairs, strict=True):
            torch.testing.assert_close(target, decay * old + (1 - decay) * online)


def test_views_in_one_batch_are_the_same_to_a_vit_and_not_to_a_cnn() -> None:
    views = random_batch(small())["views"]
    batch = {"views": [views[0], 3 * views[1]]}
    apart, joint = (small("vit", joint_views=j)(batch).loss.item() for j in (False, True))
    assert joint == pytest.approx(apart, rel=1e-5)
    apart, joint = (small("cnn", joint_views=j)(batch).loss.item() for j in (False, True))
    assert joint != pytest.approx(apart, rel=1e-3)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method.hidden_dim=0", r"method.hidden_dim must be in \[1, inf\), got 0"),
        ("method.out_dim=0", r"method.out_dim must be in \[1, inf\), got 0"),
        ("method.decay_start=1.5", r"method.decay_start must be in \[0, 1\], got 1.5"),
    ],
)
def test_what_is_out_of_range_is_named(override: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        compose("pretrain", ["method=byol", override])
