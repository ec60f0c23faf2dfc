"""Sinkhorn-Knopp against listing A.1 of arXiv:2006.09882, retyped in NumPy."""

import numpy as np
import pytest
import torch

from sslrun.losses.sinkhorn import sinkhorn


def listing(scores: np.ndarray, epsilon: float, iterations: int) -> np.ndarray:
    """The paper's: marginals r = 1/K over prototypes and c = 1/N over samples, then columns of samples scaled to 1."""
    q = np.exp(scores / epsilon).T  # (K, N)
    q /= q.sum()
    prototypes, samples = q.shape
    r, c = np.full(prototypes, 1 / prototypes), np.full(samples, 1 / samples)
    for _ in range(iterations):
        q *= (r / q.sum(axis=1))[:, None]
        q *= (c / q.sum(axis=0))[None]
    return (q / q.sum(axis=0, keepdims=True)).T


@pytest.fixture
def scores() -> torch.Tensor:
    return torch.rand(12, 5, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.mark.parametrize(("epsilon", "iterations"), [(0.05, 1), (0.05, 3), (0.5, 10)])
def test_value_is_the_papers(scores: torch.Tensor, epsilon: float, iterations: int) -> None:
    expected = listing(scores.double().numpy(), epsilon, iterations)
    torch.testing.assert_close(
        sinkhorn(scores, epsilon=epsilon, iterations=iterations).double(),
        torch.from_numpy(expected),
        rtol=1e-4,
        atol=1e-6,
    )


def test_marginals(scores: torch.Tensor) -> None:
    q = sinkhorn(scores, epsilon=0.5, iterations=50)
    torch.testing.assert_close(q.sum(dim=1), torch.ones(12))
    torch.testing.assert_close(q.sum(dim=0), torch.full((5,), 12 / 5))


def test_by_hand() -> None:
    """[[1, 3], [1, 1]]: columns to 1 give [[1/2, 3/4], [1/2, 1/4]], rows to 1 [[2/5, 3/5], [2/3, 1/3]]."""
    scores = torch.tensor([[1.0, 3], [1, 1]]).log()
    expected = torch.tensor([[2 / 5, 3 / 5], [2 / 3, 1 / 3]])
    torch.testing.assert_close(sinkhorn(scores, epsilon=1.0, iterations=1), expected)


def test_one_score_for_all_is_shared_equally() -> None:
    torch.testing.assert_close(sinkhorn(torch.ones(4, 8), epsilon=0.05, iterations=3), torch.full((4, 8), 1 / 8))


def test_order_and_offset_of_scores_do_not_matter(scores: torch.Tensor) -> None:
    q = sinkhorn(scores, epsilon=0.05, iterations=3)
    order = torch.randperm(12, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(sinkhorn(scores[order], epsilon=0.05, iterations=3), q[order])
    torch.testing.assert_close(sinkhorn(scores + 7, epsilon=0.05, iterations=3), q, rtol=1e-4, atol=1e-6)


def test_scores_far_apart_neither_overflow_nor_vanish() -> None:
    """exp(1000 / .05) is inf in any float; the second row is far below the first."""
    q = sinkhorn(torch.tensor([[1000.0, 0], [-1000, -2000]]), epsilon=0.05, iterations=3)
    assert q.isfinite().all()
    torch.testing.assert_close(q.sum(dim=1), torch.ones(2))


def test_is_float32_without_gradient_and_leaves_its_input(scores: torch.Tensor) -> None:
    before = scores.clone()
    low = scores.bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        q = sinkhorn(low, epsilon=0.05, iterations=3)
    assert q.dtype == torch.float32 and not q.requires_grad
    torch.testing.assert_close(q, sinkhorn(low.float(), epsilon=0.05, iterations=3))
    sinkhorn(scores, epsilon=1.0, iterations=3)
    assert torch.equal(scores, before)
