"""wav2vec 2.0's two losses, by hand."""

import math

import pytest
import torch

from sslrun.losses.distractors import distractor_losses, diversity_loss


def test_parallel_orthogonal_and_opposed_distractors() -> None:
    targets = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]])
    losses = distractor_losses(targets, targets, torch.tensor([[1, 2], [0, 2], [1, 0]]), temperature=0.5)
    first = math.log(1 + math.exp(-2) + math.exp(-4))  # cosines 1, 0, -1 over 0.5
    second = math.log(1 + 2 * math.exp(-2))
    assert losses.tolist() == pytest.approx([first, second, first], rel=1e-5)


def test_a_distractor_that_is_the_same_code_is_none() -> None:
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    losses = distractor_losses(targets, targets, torch.tensor([[1, 1], [0, 2], [2, 2]]), temperature=1.0)
    assert losses.tolist() == pytest.approx([0.0, math.log(1 + math.exp(-1)), 0.0], abs=1e-6)


def test_diversity_loss() -> None:
    one_code = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    assert diversity_loss(one_code).item() == pytest.approx(1 - 2 / 8)
    assert diversity_loss(torch.full((2, 4), 0.25)).item() == pytest.approx(0.0, abs=1e-6)
