"""VICReg against algorithm 1 of arXiv:2105.04906, retyped in NumPy."""

import numpy as np
import pytest
import torch

from sslrun.losses.covariance import off_diagonal_squares
from sslrun.losses.vicreg import covariance_penalty, variance_hinge, vicreg

WEIGHTS = {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}


def algorithm_1(za: np.ndarray, zb: np.ndarray, weights: dict[str, float] = WEIGHTS) -> float:
    n, d = za.shape
    loss = weights["invariance"] * ((za - zb) ** 2).mean()
    for z in (za, zb):
        std = np.sqrt(z.var(axis=0, ddof=1) + 1e-4)
        centred = z - z.mean(axis=0)
        cov = centred.T @ centred / (n - 1)
        loss += weights["variance"] * np.maximum(0, 1 - std).mean()
        loss += weights["covariance"] * (cov[~np.eye(d, dtype=bool)] ** 2).sum() / d
    return float(loss)


@pytest.fixture(params=[(7, 4), (4, 7)], ids=["more rows", "more columns"])
def pair(request: pytest.FixtureRequest) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return 0.8 * torch.randn(request.param, generator=generator), torch.randn(request.param, generator=generator) + 1


def test_value_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    expected = algorithm_1(*(z.double().numpy() for z in pair))
    assert vicreg(*pair, **WEIGHTS).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = (z.clone().requires_grad_() for z in pair)
    weights = {"invariance": 2.5, "variance": 2.5, "covariance": 0.5}
    vicreg(z1, z2, **weights).backward()
    a, b, step = z1.detach().double().numpy(), z2.detach().double().numpy(), 1e-5
    for z, array in ((z1, a), (z2, b)):
        assert z.grad is not None
        for at in np.ndindex(a.shape):
            value = array[at]
            array[at] = value + step
            up = algorithm_1(a, b, weights)
            array[at] = value - step
            down = algorithm_1(a, b, weights)
            array[at] = value
            assert z.grad[at].item() == pytest.approx((up - down) / (2 * step), abs=1e-5)


def test_variance_by_hand() -> None:
    """Rows +-1/2 have variance 1/2 in the first column; the second is constant, the third wide enough."""
    z = torch.tensor([[0.5, 3, 5], [-0.5, 3, -5]])
    expected = ((1 - (0.5 + 1e-4) ** 0.5) + (1 - 1e-4**0.5) + 0) / 3
    assert variance_hinge(z).item() == pytest.approx(expected, rel=1e-5)


def test_covariance_by_hand() -> None:
    """Two equal columns of variance 2: both covariances are 2, so (4 + 4) / 2."""
    z = torch.tensor([[1.0, 1], [-1, -1]])
    assert covariance_penalty(z).item() == pytest.approx(4.0)


def test_order_of_rows_views_and_an_offset_do_not_matter(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = pair
    loss = vicreg(z1, z2, **WEIGHTS).item()
    order = torch.randperm(len(z1), generator=torch.Generator().manual_seed(1))
    assert vicreg(z1[order], z2[order], **WEIGHTS).item() == pytest.approx(loss, rel=1e-5)
    assert vicreg(z2, z1, **WEIGHTS).item() == pytest.approx(loss, rel=1e-5)
    assert vicreg(z1 + 3, z2 + 3, **WEIGHTS).item() == pytest.approx(loss, rel=1e-4)


def test_both_ways_to_the_off_diagonal_squares_agree() -> None:
    """N < D goes by Gram matrices; rows of zeros change nothing but N."""
    x, y = torch.randn(2, 5, 8, generator=torch.Generator().manual_seed(0))
    padded = [torch.cat([z, torch.zeros(5, 8)]) for z in (x, y)]
    assert off_diagonal_squares(x, y).item() == pytest.approx(off_diagonal_squares(*padded).item(), rel=1e-5)


def test_is_float32_under_bf16_autocast(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    low = [z.bfloat16() for z in pair]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = vicreg(*low, **WEIGHTS)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(vicreg(*(z.float() for z in low), **WEIGHTS).item(), rel=1e-6)
