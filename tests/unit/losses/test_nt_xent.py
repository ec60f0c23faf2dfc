"""NT-Xent against eq. 1 of arXiv:2002.05709, retyped in NumPy."""

import math

import numpy as np
import pytest
import torch

from sslrun.losses.nt_xent import nt_xent


def equation_1(z1: np.ndarray, z2: np.ndarray, temperature: float) -> float:
    """The paper's loops: 2N rows, positives of k are k + N and k - N."""
    z = np.concatenate([z1, z2])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    n, total = len(z1), 0.0
    for i in range(2 * n):
        similarity = z @ z[i] / temperature
        positive = similarity[(i + n) % (2 * n)]
        others = np.delete(similarity, i)
        total += -positive + np.log(np.exp(others).sum())
    return total / (2 * n)


@pytest.fixture
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(6, 5, generator=generator), torch.randn(6, 5, generator=generator)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_value_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor], temperature: float) -> None:
    z1, z2 = pair
    expected = equation_1(z1.double().numpy(), z2.double().numpy(), temperature)
    assert nt_xent(z1, z2, temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = (z.clone().requires_grad_() for z in pair)
    nt_xent(z1, z2, temperature=0.5).backward()
    a, b, step = z1.detach().double().numpy(), z2.detach().double().numpy(), 1e-5
    for z, array in ((z1, a), (z2, b)):
        assert z.grad is not None
        for at in np.ndindex(6, 5):
            value = array[at]
            array[at] = value + step
            up = equation_1(a, b, 0.5)
            array[at] = value - step
            down = equation_1(a, b, 0.5)
            array[at] = value
            assert z.grad[at].item() == pytest.approx((up - down) / (2 * step), abs=1e-5)


def test_by_hand() -> None:
    """Two orthogonal pairs: the positive has similarity 1, the two negatives 0."""
    z = torch.eye(2)
    assert nt_xent(z, z, temperature=1.0).item() == pytest.approx(-1 + math.log(math.e + 2), rel=1e-6)


def test_does_not_change_with_scale_or_order(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = pair
    loss = nt_xent(z1, z2, temperature=0.2).item()
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    assert nt_xent(7 * z1, 0.1 * z2, temperature=0.2).item() == pytest.approx(loss, rel=1e-5)
    assert nt_xent(z1[order], z2[order], temperature=0.2).item() == pytest.approx(loss, rel=1e-5)
    assert nt_xent(z2, z1, temperature=0.2).item() == pytest.approx(loss, rel=1e-5)


def test_halves_of_a_batch_with_gathered_rows_average_to_the_whole(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = pair
    parts = [
        nt_xent(z1[i : i + 3], z2[i : i + 3], temperature=0.2, all_z1=z1, all_z2=z2, offset=i).item() for i in (0, 3)
    ]
    assert sum(parts) / 2 == pytest.approx(nt_xent(z1, z2, temperature=0.2).item(), rel=1e-6)


def test_is_float32_under_bf16_autocast(pair: tuple[torch.Tensor, torch.Tensor]) -> None:
    z1, z2 = pair
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = nt_xent(z1.bfloat16(), z2.bfloat16(), temperature=0.1)
    exact = nt_xent(z1.bfloat16().float(), z2.bfloat16().float(), temperature=0.1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
