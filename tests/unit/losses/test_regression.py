"""BYOL's and SimSiam's loss against eq. 2 of arXiv:2006.07733, retyped in NumPy."""

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.regression import normalized_mse


def equation_2(p: np.ndarray, t: np.ndarray) -> float:
    """Squared distance of unit vectors."""
    p, t = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (p, t))
    return float(((p - t) ** 2).sum(axis=1).mean())


@pytest.fixture
def pair() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(8, 5, generator=generator), torch.randn(8, 5, generator=generator)


def test_parallel_orthogonal_and_opposed_rows() -> None:
    prediction = torch.tensor([[1.0, 0], [1, 0], [1, 0]])
    target = torch.tensor([[2.0, 0], [0, 3], [-4, 0]])
    assert normalized_mse(prediction, target).item() == pytest.approx((0 + 2 + 4) / 3)


def test_value_is_the_papers(pair: tuple[Tensor, Tensor]) -> None:
    expected = equation_2(*(z.double().numpy() for z in pair))
    assert normalized_mse(*pair).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers_and_spares_the_target(pair: tuple[Tensor, Tensor]) -> None:
    p, t = (z.requires_grad_() for z in pair)
    normalized_mse(p, t).backward()
    assert t.grad is None and p.grad is not None
    a, b, step = p.detach().double().numpy(), t.detach().double().numpy(), 1e-5
    for at in np.ndindex(a.shape):
        up, down = a.copy(), a.copy()
        up[at] += step
        down[at] -= step
        slope = (equation_2(up, b) - equation_2(down, b)) / (2 * step)
        assert p.grad[at].item() == pytest.approx(slope, abs=1e-5)


def test_scale_and_order_do_not_matter(pair: tuple[Tensor, Tensor]) -> None:
    p, t = pair
    loss = normalized_mse(p, t).item()
    assert normalized_mse(7 * p, 0.1 * t).item() == pytest.approx(loss, rel=1e-5)
    assert normalized_mse(p.flip(0), t.flip(0)).item() == pytest.approx(loss, rel=1e-5)


def test_is_float32_under_bf16_autocast(pair: tuple[Tensor, Tensor]) -> None:
    low = [z.bfloat16() for z in pair]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = normalized_mse(*low)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(normalized_mse(*(z.float() for z in low)).item(), rel=1e-6)
