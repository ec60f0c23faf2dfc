"""BYOL's loss against eq. 2 of arXiv:2006.07733."""

import numpy as np
import pytest
import torch

from sslrun.losses.regression import normalized_mse


def test_parallel_orthogonal_and_opposed_rows() -> None:
    prediction = torch.tensor([[1.0, 0], [1, 0], [1, 0]])
    target = torch.tensor([[2.0, 0], [0, 3], [-4, 0]])
    assert normalized_mse(prediction, target).item() == pytest.approx((0 + 2 + 4) / 3)


def test_is_the_squared_distance_of_unit_vectors() -> None:
    generator = torch.Generator().manual_seed(0)
    p, t = torch.randn(8, 5, generator=generator), torch.randn(8, 5, generator=generator)
    a, b = (x.double().numpy() / np.linalg.norm(x.double().numpy(), axis=1, keepdims=True) for x in (p, t))
    assert normalized_mse(p, t).item() == pytest.approx(((a - b) ** 2).sum(axis=1).mean(), rel=1e-5)


def test_no_gradient_reaches_the_target() -> None:
    p, t = torch.randn(4, 3, requires_grad=True), torch.randn(4, 3, requires_grad=True)
    normalized_mse(p, t).backward()
    assert t.grad is None
    assert p.grad is not None and p.grad.abs().sum() > 0
