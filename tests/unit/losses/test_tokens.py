"""I-JEPA's loss against the authors' formula, retyped in NumPy."""

import numpy as np
import pytest
import torch

from sslrun.losses.tokens import normalized_smooth_l1


def formula(prediction: np.ndarray, target: np.ndarray) -> float:
    """Layer norm over features without affine (eps 1e-5, biased variance), then smooth L1 with beta 1."""
    mean, variance = target.mean(axis=-1, keepdims=True), target.var(axis=-1, keepdims=True)
    error = np.abs(prediction - (target - mean) / np.sqrt(variance + 1e-5))
    return float(np.where(error < 1, error**2 / 2, error - 0.5).mean())


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(2 * torch.randn(3, 4, 6, generator=generator) + 1 for _ in range(2))  # type: ignore[return-value]


def test_value_and_gradient_are_the_authors(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, target = (x.clone().requires_grad_() for x in pair)
    loss = normalized_smooth_l1(prediction, target)
    loss.backward()
    p, t, step = pair[0].double().numpy(), pair[1].double().numpy(), 1e-5
    assert loss.item() == pytest.approx(formula(p, t), rel=1e-5)
    assert target.grad is None and prediction.grad is not None
    for i in np.ndindex(*p.shape):
        up, down = p.copy(), p.copy()
        up[i] += step
        down[i] -= step
        slope = (formula(up, t) - formula(down, t)) / (2 * step)
        assert prediction.grad[i].item() == pytest.approx(slope, abs=1e-5)


def test_by_hand() -> None:
    """Target (1, 3) becomes (-1, 1); errors of .5 and 2 cost .125 and 1.5."""
    loss = normalized_smooth_l1(torch.tensor([[[-0.5, 3.0]]]), torch.tensor([[[1.0, 3.0]]]))
    assert loss.item() == pytest.approx((0.125 + 1.5) / 2, rel=1e-4)


def test_does_not_change_with_the_targets_scale_or_the_order(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    prediction, target = pair
    loss = normalized_smooth_l1(prediction, target).item()
    assert normalized_smooth_l1(prediction, 9 * target - 4).item() == pytest.approx(loss, rel=1e-4)
    assert normalized_smooth_l1(prediction.flip(0), target.flip(0)).item() == pytest.approx(loss, rel=1e-5)


def test_is_float32_under_bf16_autocast(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    low, target = pair[0].bfloat16(), pair[1]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = normalized_smooth_l1(low, target)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, normalized_smooth_l1(low.float(), target))
