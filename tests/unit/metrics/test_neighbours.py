import math

import pytest
import torch

from sslrun.metrics.neighbours import nearest, vote

BANK = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [-1.0, 0.0]])
LABELS = torch.tensor([0, 1, 1, 2])


def shares(
    train: torch.Tensor, labels: torch.Tensor, test: torch.Tensor, *, k: int, temperature: float = 0.07, **options: int
) -> torch.Tensor:
    """Of the votes for three classes."""
    similarities, index = nearest(train, test, k=k, **options)
    return vote(similarities, labels[index], num_classes=3, temperature=temperature)


def test_votes_weigh_by_the_exponential_of_cosine_similarity():
    scores = shares(BANK, LABELS, torch.tensor([[3.0, 0.0]]), k=3, temperature=0.5)
    weights = [math.exp(1 / 0.5), math.exp(math.sqrt(0.5) / 0.5), math.exp(0)]  # rows 0, 2, 1
    total = sum(weights)
    assert scores[0].tolist() == pytest.approx([weights[0] / total, (weights[1] + weights[2]) / total, 0])


def test_one_neighbour_is_the_plain_nearest():
    scores = shares(BANK, LABELS, torch.tensor([[0.1, 5.0], [-9.0, 1.0]]), k=1)
    assert scores.tolist() == [[0, 1, 0], [0, 0, 1]]


def test_more_neighbours_than_the_bank_holds_are_the_whole_bank():
    query = torch.tensor([[1.0, 0.2]])
    many, all_four = (shares(BANK, LABELS, query, k=k) for k in (100, 4))
    assert torch.equal(many, all_four)


def test_chunks_change_nothing():
    g = torch.Generator().manual_seed(0)
    train, labels, test = torch.randn(30, 5, generator=g), torch.arange(30) % 3, torch.randn(17, 5, generator=g)
    whole = shares(train, labels, test, k=7)
    assert torch.allclose(shares(train, labels, test, k=7, max_similarities=60), whole)


def test_neighbours_come_nearest_first():
    similarities, index = nearest(BANK, torch.tensor([[2.0, 0.5]]), k=4)
    assert index[0].tolist() == [0, 2, 1, 3]
    assert similarities[0].tolist() == sorted(similarities[0].tolist(), reverse=True)


def test_a_tiny_temperature_does_not_overflow():
    shares = vote(torch.tensor([[1.0, 0.5]]), torch.tensor([[1, 0]]), num_classes=2, temperature=1e-4)
    assert shares.tolist() == [[0, 1]]
