"""CPC's loss beside eq. 4 of arXiv:1807.03748, written out in NumPy."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from sslrun.losses.future import future_losses


def by_hand(predictions: np.ndarray, local: np.ndarray, length: int, step: int) -> tuple[float, int]:
    total, count = 0.0, 0
    for t in range(length - step):
        scores = np.exp([predictions[t] @ local[s] for s in range(length)])
        total -= math.log(scores[t + step] / scores.sum())
        count += 1
    return total, count


@pytest.mark.parametrize("step", [1, 2, 5, 6, 9])
def test_it_is_the_formula_and_padding_is_no_part_of_it(step: int) -> None:
    random = np.random.default_rng(0)
    predictions, local = random.standard_normal((2, 3, 7, 4))
    lengths = [7, 5, 2]
    local[1, 5:] = local[2, 2:] = 1e3  # padding that would swallow every softmax
    inside = torch.arange(7) < torch.tensor(lengths)[:, None]
    sums, counts = future_losses(
        torch.from_numpy(predictions).float(), torch.from_numpy(local).float(), step=step, is_valid=inside
    )
    expected = [by_hand(p, z, n, step) for p, z, n in zip(predictions, local, lengths, strict=True)]
    assert counts.tolist() == [count for _, count in expected]
    assert sums.numpy() == pytest.approx(np.array([total for total, _ in expected]), rel=1e-4)


def test_chance_is_the_logarithm_of_the_moments() -> None:
    sums, counts = future_losses(
        torch.zeros(1, 10, 4), torch.randn(1, 10, 4), step=3, is_valid=torch.ones(1, 10, dtype=torch.bool)
    )
    assert float(sums / counts) == pytest.approx(math.log(10), rel=1e-5)


def test_gradients_are_finite_where_a_clip_has_no_future() -> None:
    predictions, local = torch.randn(2, 4, 3, requires_grad=True), torch.randn(2, 4, 3, requires_grad=True)
    sums, _ = future_losses(predictions, local, step=2, is_valid=torch.arange(4) < torch.tensor([[4], [1]]))
    sums.sum().backward()
    assert predictions.grad is not None and local.grad is not None
    assert predictions.grad.isfinite().all() and local.grad.isfinite().all()
    assert not local.grad[1].any() and not predictions.grad[1].any()


def among_by_hand(predictions: np.ndarray, local: np.ndarray, lengths: list[int], step: int) -> tuple[Any, Any, Any]:
    """Sums by sequence, and the gradients of their sum, with the moments of all sequences in the denominator."""
    everything = [(b, s) for b, length in enumerate(lengths) for s in range(length)]
    sums, to_predictions, to_local = np.zeros(len(lengths)), np.zeros_like(predictions), np.zeros_like(local)
    for b, length in enumerate(lengths):
        for t in range(length - step):
            scores = np.exp([predictions[b, t] @ local[at] for at in everything])
            future = everything.index((b, t + step))
            sums[b] -= math.log(scores[future] / scores.sum())
            for i, at in enumerate(everything):
                slope = scores[i] / scores.sum() - (i == future)
                to_predictions[b, t] += slope * local[at]
                to_local[at] += slope * predictions[b, t]
    return sums, to_predictions, to_local


@pytest.mark.parametrize("step", [1, 2, 5, 6, 9])
def test_among_all_sequences_value_and_gradient_are_the_formula(step: int) -> None:
    random = np.random.default_rng(0)
    predictions, local = random.standard_normal((2, 3, 7, 4))
    lengths = [7, 5, 2]
    local[1, 5:] = local[2, 2:] = 1e3  # padding that would swallow every softmax
    inside = torch.arange(7) < torch.tensor(lengths)[:, None]
    p, z = (torch.from_numpy(x).float().requires_grad_() for x in (predictions, local))
    sums, counts = future_losses(
        p, z, step=step, is_valid=inside, others=z.flatten(0, 1), other_is_valid=inside.flatten()
    )
    expected, *gradients = among_by_hand(predictions, local, lengths, step)
    assert counts.tolist() == [max(0, length - step) for length in lengths]
    assert sums.detach().numpy() == pytest.approx(expected, rel=1e-4)
    if step < 7:
        sums.sum().backward()
        for x, gradient in zip((p, z), gradients, strict=True):
            assert x.grad is not None
            np.testing.assert_allclose(x.grad.numpy(), gradient, atol=2e-5)
