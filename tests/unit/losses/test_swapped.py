"""SwAV's loss against eq. 2 and 6 of arXiv:2006.09882, retyped in NumPy."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from sslrun.losses.swapped import swapped_prediction


def equation_6(scores: list[np.ndarray], assignments: list[np.ndarray], temperature: float) -> float:
    """The authors' loops: each assigned view, predicted from every view but itself."""
    loss = 0.0
    for i, q in enumerate(assignments):
        part = 0.0
        for v in range(len(scores)):
            if v != i:
                p = np.exp(scores[v] / temperature)
                p /= p.sum(axis=1, keepdims=True)
                part -= (q * np.log(p)).sum(axis=1).mean()
        loss += part / (len(scores) - 1)
    return float(loss / len(assignments))


@pytest.fixture
def views() -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    scores = [torch.rand(5, 4, generator=generator) * 2 - 1 for _ in range(4)]
    return scores, [torch.rand(5, 4, generator=generator).softmax(dim=1) for _ in range(2)]


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_value_is_the_papers(views: tuple[list[Tensor], list[Tensor]], temperature: float) -> None:
    expected = equation_6(*([x.double().numpy() for x in part] for part in views), temperature)
    assert swapped_prediction(*views, temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(views: tuple[list[Tensor], list[Tensor]]) -> None:
    scores, assignments = [s.requires_grad_() for s in views[0]], [q.requires_grad_() for q in views[1]]
    swapped_prediction(scores, assignments, temperature=0.5).backward()
    fixed, step = [q.detach().double().numpy() for q in assignments], 1e-5
    for view in range(len(scores)):
        for row, column in np.ndindex(5, 4):
            values = []
            for sign in (1, -1):
                moved = [s.detach().double().numpy() for s in scores]
                moved[view][row, column] += sign * step
                values.append(equation_6(moved, fixed, 0.5))
            gradient = scores[view].grad
            assert gradient is not None
            assert gradient[row, column].item() == pytest.approx((values[0] - values[1]) / (2 * step), abs=1e-5)
    assert all(q.grad is None for q in assignments)


def test_by_hand() -> None:
    """Two views: the first is sure of prototype 0, the second undecided between two."""
    sure, undecided = torch.tensor([[math.log(3), 0]]), torch.zeros(1, 2)
    first, second = torch.tensor([[1.0, 0]]), torch.tensor([[0.5, 0.5]])
    expected = (math.log(2) - 0.5 * (math.log(3 / 4) + math.log(1 / 4))) / 2
    loss = swapped_prediction([sure, undecided], [first, second], temperature=1.0)
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_order_of_rows_does_not_matter(views: tuple[list[Tensor], list[Tensor]]) -> None:
    flipped = [[x.flip(0) for x in part] for part in views]
    loss = swapped_prediction(*views, temperature=0.1).item()
    assert swapped_prediction(*flipped, temperature=0.1).item() == pytest.approx(loss, rel=1e-5)


def test_is_float32_under_bf16_autocast(views: tuple[list[Tensor], list[Tensor]]) -> None:
    low = [s.bfloat16() for s in views[0]]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = swapped_prediction(low, views[1], temperature=0.1)
    assert loss.dtype == torch.float32
    exact = swapped_prediction([s.float() for s in low], views[1], temperature=0.1)
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
