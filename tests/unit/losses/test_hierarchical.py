"""The loss of TS2Vec against the formulas of its paper, retyped with loops."""

import math

import numpy as np
import pytest
import torch

from sslrun.losses.hierarchical import hierarchical_contrast


def instance_by_hand(z1: np.ndarray, z2: np.ndarray) -> float:
    """Eq. 2 in both directions, averaged over timestamps and rows."""
    rows, length, _ = z1.shape
    losses = []
    for r, s in ((z1, z2), (z2, z1)):
        for t in range(length):
            for i in range(rows):
                across = sum(math.exp(r[i, t] @ s[j, t]) for j in range(rows))
                within = sum(math.exp(r[i, t] @ r[j, t]) for j in range(rows) if j != i)
                losses.append(math.log(across + within) - r[i, t] @ s[i, t])
    return float(np.mean(losses))


def temporal_by_hand(z1: np.ndarray, z2: np.ndarray) -> float:
    """Eq. 1: the same with the roles of time and row exchanged."""
    return instance_by_hand(z1.transpose(1, 0, 2), z2.transpose(1, 0, 2))


def pooled(z: np.ndarray) -> np.ndarray:
    even = z[:, : z.shape[1] // 2 * 2]
    return np.maximum(even[:, ::2], even[:, 1::2])


def hierarchical_by_hand(z1: np.ndarray, z2: np.ndarray, alpha: float) -> float:
    """Algorithm 1, as the authors' code has it."""
    losses = []
    while z1.shape[1] > 1:
        losses.append(alpha * instance_by_hand(z1, z2) + (1 - alpha) * temporal_by_hand(z1, z2))
        z1, z2 = pooled(z1), pooled(z2)
    losses.append(alpha * instance_by_hand(z1, z2))
    return float(np.mean(losses))


@pytest.mark.parametrize(("length", "alpha"), [(1, 0.5), (2, 0.5), (7, 0.3), (8, 1.0)])
def test_it_equals_the_paper(length: int, alpha: float) -> None:
    random = np.random.default_rng(0)
    z1, z2 = random.normal(size=(2, 3, length, 4))
    loss = hierarchical_contrast(torch.from_numpy(z1), torch.from_numpy(z2), alpha=alpha)
    assert loss.item() == pytest.approx(hierarchical_by_hand(z1, z2, alpha), rel=1e-5)


def test_of_one_series_times_alone_are_compared() -> None:
    z1, z2 = np.random.default_rng(1).normal(size=(2, 1, 2, 4))
    loss = hierarchical_contrast(torch.from_numpy(z1), torch.from_numpy(z2), alpha=0.5)
    assert loss.item() == pytest.approx(0.5 * temporal_by_hand(z1, z2) / 2, rel=1e-5)  # the second scale has none


def test_padding_changes_nothing() -> None:
    random = torch.Generator().manual_seed(0)
    z1, z2 = torch.randn(2, 3, 8, 4, generator=random)
    behind = 9 * torch.randn(3, 8, 4, generator=random)
    inside = torch.arange(16).expand(3, 16) < 8
    short = hierarchical_contrast(z1, z2, alpha=0.0)
    long = hierarchical_contrast(torch.cat([z1, behind], 1), torch.cat([z2, -behind], 1), alpha=0.0, is_valid=inside)
    assert long.item() == pytest.approx(short.item() * 4 / 5)  # 4 scales of 8 timestamps, 5 of 16; the last tells none


def test_gradient_does_not_reach_padding() -> None:
    z1, z2 = torch.randn(2, 3, 6, 4, generator=torch.Generator().manual_seed(0))
    z1.requires_grad_()
    inside = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [1, 1, 0, 0, 0, 0]]).bool()
    hierarchical_contrast(z1, z2, is_valid=inside).backward()
    assert z1.grad is not None
    reached = z1.grad.abs().sum(dim=2) > 0
    assert torch.equal(reached & inside, reached) and reached[:, :2].all()
