"""KoLeo against eq. 1 of arXiv:1806.03198, retyped in NumPy."""

import math

import numpy as np
import pytest
import torch

from sslrun.losses.koleo import koleo


def equation_1(x: np.ndarray, mine: slice = slice(None)) -> float:
    """-1/n sum over i of log of the least distance to another row, of unit rows."""
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    distance = np.linalg.norm(x[:, None] - x[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return float(-np.log(distance.min(axis=1))[mine].mean())


@pytest.fixture
def x() -> torch.Tensor:
    return torch.randn(7, 4, generator=torch.Generator().manual_seed(0))


def test_value_is_the_papers(x: torch.Tensor) -> None:
    assert koleo(x).item() == pytest.approx(equation_1(x.double().numpy()), rel=1e-5)


def test_gradient_is_the_papers(x: torch.Tensor) -> None:
    x.requires_grad_()
    koleo(x).backward()
    a, step = x.detach().double().numpy(), 1e-6
    assert x.grad is not None
    for row in range(7):
        for column in range(4):
            up, down = a.copy(), a.copy()
            up[row, column] += step
            down[row, column] -= step
            slope = (equation_1(up) - equation_1(down)) / (2 * step)
            assert x.grad[row, column].item() == pytest.approx(slope, abs=1e-5)


def test_by_hand() -> None:
    """Axes of the plane: each is sqrt 2 from its neighbours; two opposed rows are 2 apart."""
    axes = torch.tensor([[1.0, 0], [0, 2], [-3, 0], [0, -4]])
    assert koleo(axes).item() == pytest.approx(-math.log(math.sqrt(2)), rel=1e-6)
    assert koleo(axes[::2]).item() == pytest.approx(-math.log(2), rel=1e-6)


def test_equal_rows_stay_finite() -> None:
    x = torch.ones(3, 2, requires_grad=True)
    koleo(x).backward()
    assert x.grad is not None and x.grad.isfinite().all()


def test_order_and_scale_do_not_matter(x: torch.Tensor) -> None:
    order = torch.tensor([3, 1, 5, 0, 2, 4, 6])
    assert koleo(9 * x[order]).item() == pytest.approx(koleo(x).item(), rel=1e-5)


def test_parts_of_a_batch_with_gathered_rows_average_to_the_whole(x: torch.Tensor) -> None:
    parts = [koleo(x[i : i + 3], all_x=x[:6], offset=i).item() for i in (0, 3)]
    assert sum(parts) / 2 == pytest.approx(koleo(x[:6]).item(), rel=1e-6)
    assert parts[1] == pytest.approx(equation_1(x[:6].double().numpy(), slice(3, 6)), rel=1e-5)


def test_is_float32_under_bf16_autocast(x: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = koleo(x.bfloat16())
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(koleo(x.bfloat16().float()).item(), rel=1e-6)
