"""SupCon against eq. 2 of arXiv:2004.11362, retyped in NumPy."""

import math

import numpy as np
import pytest
import torch

from sslrun.losses.nt_xent import nt_xent
from sslrun.losses.supcon import supcon

LABELS = torch.tensor([0, 1, 0, 2, 2, 2, 0, 1])


def equation_2(z: np.ndarray, labels: np.ndarray, temperature: float) -> float:
    """The paper's sums, over anchors i, positives p and all others a; divided by the number of anchors."""
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    total = 0.0
    for i in range(len(z)):
        others = [a for a in range(len(z)) if a != i]
        positives = [p for p in others if labels[p] == labels[i]]
        denominator = sum(np.exp(z[i] @ z[a] / temperature) for a in others)
        for p in positives:
            total -= np.log(np.exp(z[i] @ z[p] / temperature) / denominator) / len(positives)
    return total / len(z)


@pytest.fixture
def z() -> torch.Tensor:
    return torch.randn(8, 5, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("temperature", [0.07, 0.5, 2.0])
def test_value_is_the_papers(z: torch.Tensor, temperature: float) -> None:
    expected = equation_2(z.double().numpy(), LABELS.numpy(), temperature)
    assert supcon(z, LABELS, temperature=temperature).item() == pytest.approx(expected, rel=1e-5)


def test_gradient_is_the_papers(z: torch.Tensor) -> None:
    x = z.clone().requires_grad_()
    supcon(x, LABELS, temperature=0.5).backward()
    a, step = z.double().numpy(), 1e-5
    for row, column in np.ndindex(*a.shape):
        up, down = a.copy(), a.copy()
        up[row, column] += step
        down[row, column] -= step
        slope = (equation_2(up, LABELS.numpy(), 0.5) - equation_2(down, LABELS.numpy(), 0.5)) / (2 * step)
        assert x.grad is not None
        assert x.grad[row, column].item() == pytest.approx(slope, abs=1e-5)


def test_by_hand() -> None:
    """Two classes of two parallel rows, orthogonal to each other: the positive has similarity 1, both negatives 0."""
    z = torch.tensor([[1.0, 0], [0, 1], [1, 0], [0, 1]])
    loss = supcon(z, torch.tensor([0, 1, 0, 1]), temperature=1.0)
    assert loss.item() == pytest.approx(-1 + math.log(math.e + 2), rel=1e-6)


def test_one_class_of_parallel_rows_is_the_logarithm_of_the_others() -> None:
    assert supcon(torch.ones(5, 3), torch.zeros(5), temperature=0.1).item() == pytest.approx(math.log(4), rel=1e-6)


def test_an_anchor_alone_in_its_class_adds_nothing() -> None:
    """Three orthogonal rows: the two of one class add log 2 each, the third 0."""
    x = torch.eye(3, requires_grad=True)
    loss = supcon(x, torch.tensor([0, 0, 1]), temperature=1.0)
    assert loss.item() == pytest.approx(2 * math.log(2) / 3, rel=1e-6)
    loss.backward()
    assert x.grad is not None and bool(torch.isfinite(x.grad).all())


def test_with_a_class_for_each_image_it_is_simclrs_loss(z: torch.Tensor) -> None:
    z1, z2 = z.chunk(2)
    images = torch.arange(4).repeat(2)
    expected = nt_xent(z1, z2, temperature=0.2).item()
    assert supcon(z, images, temperature=0.2).item() == pytest.approx(expected, rel=1e-5)


def test_does_not_change_with_scale_order_or_names_of_classes(z: torch.Tensor) -> None:
    loss = supcon(z, LABELS, temperature=0.2).item()
    order = torch.tensor([3, 1, 5, 0, 7, 2, 6, 4])
    assert supcon(7 * z, LABELS, temperature=0.2).item() == pytest.approx(loss, rel=1e-5)
    assert supcon(z[order], LABELS[order], temperature=0.2).item() == pytest.approx(loss, rel=1e-5)
    assert supcon(z, 9 - LABELS, temperature=0.2).item() == pytest.approx(loss, rel=1e-5)


def test_halves_of_a_batch_with_gathered_rows_average_to_the_whole(z: torch.Tensor) -> None:
    parts = [
        supcon(z[i : i + 4], LABELS[i : i + 4], temperature=0.2, all_z=z, all_labels=LABELS, offset=i).item()
        for i in (0, 4)
    ]
    assert sum(parts) / 2 == pytest.approx(supcon(z, LABELS, temperature=0.2).item(), rel=1e-6)


def test_is_float32_under_bf16_autocast(z: torch.Tensor) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = supcon(z.bfloat16(), LABELS, temperature=0.1)
    exact = supcon(z.bfloat16().float(), LABELS, temperature=0.1)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=1e-6)
