"""Barlow Twins against algorithm 1 of arXiv:2103.03230, retyped in NumPy."""

import numpy as np
import pytest
import torch

from sslrun.losses.barlow_twins import barlow_twins

LAMBDA = 0.0051


def algorithm_1(za: np.ndarray, zb: np.ndarray) -> float:
    """With the authors' BatchNorm: variance over N, 1e-5 added."""
    n, d = za.shape
    na, nb = ((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-5) for z in (za, zb))
    c = na.T @ nb / n
    difference = (c - np.eye(d)) ** 2
    difference[~np.eye(d, dtype=bool)] *= LAMBDA
    return float(difference.sum())


@pytest.fixture(params=[(7, 4), (4, 7)], ids=["more rows", "more columns"])
def pair(request: pytest.FixtureRequest) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(request.param, generator=generator), 3 * torch.randn(request.param, generator=generator) + 1


def test_value_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = algorithm_1(*(z.double().numpy() for z in pair))
    assert barlow_twins(*pair, off_diagonal=LAMBDA).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = (z.clone().requires_grad_() for z in pair)
    barlow_twins(z1, z2, off_diagonal=LAMBDA).backward()
    a, b, step = z1.detach().double().numpy(), z2.detach().double().numpy(), 1e-5
    for z, array in ((z1, a), (z2, b)):
        assert z.grad is not None
        for at in np.ndindex(a.shape):
            value = array[at]
            array[at] = value + step
            up = algorithm_1(a, b)
            array[at] = value - step
            down = algorithm_1(a, b)
            array[at] = value
            assert z.grad[at].item() == pytest.approx((up - down) / (2 * step), abs=1e-5)


def test_by_hand() -> None:
    """Uncorrelated columns: equal views have C = I, loss 0; swapped columns have C = [[0, 1], [1, 0]]: 2 + 2 lambda."""
    z = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]])
    assert barlow_twins(z, z, off_diagonal=0.5).item() == pytest.approx(0, abs=1e-6)
    assert barlow_twins(z, z.flip(1), off_diagonal=0.5).item() == pytest.approx(2 + 0.5 * 2, rel=1e-4)


def test_order_scale_and_offset_do_not_matter(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = pair
    loss = barlow_twins(z1, z2, off_diagonal=LAMBDA).item()
    order = torch.randperm(len(z1), generator=torch.Generator().manual_seed(1))
    assert barlow_twins(z1[order], z2[order], off_diagonal=LAMBDA).item() == pytest.approx(loss, rel=1e-5)
    assert barlow_twins(7 * z1 + 2, 0.5 * z2 - 1, off_diagonal=LAMBDA).item() == pytest.approx(loss, rel=1e-3)
    assert barlow_twins(z2, z1, off_diagonal=LAMBDA).item() == pytest.approx(loss, rel=1e-5)


def test_constant_embeddings_are_finite() -> None:
    z = torch.ones(4, 3, requires_grad=True)
    loss = barlow_twins(z, z, off_diagonal=LAMBDA)
    loss.backward()
    assert loss.item() == pytest.approx(3)
    assert z.grad is not None and z.grad.isfinite().all()


def test_is_float32_under_bf16_autocast(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    low = [z.bfloat16() for z in pair]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = barlow_twins(*low, off_diagonal=LAMBDA)
    assert loss.dtype == torch.float32
    exact = barlow_twins(*(z.float() for z in low), off_diagonal=LAMBDA)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
