"""How often ranks agree, and random states over another number of ranks."""

import random

import numpy as np
import pytest
import torch

from sslrun.training.checkpoints import random_state, restore_random_state, steps_apart


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 50), (0.001, 50), (0.1, 10), (0.4, 2), (0.9, 1), (30.0, 1)])
def test_ranks_agree_about_once_a_second(seconds: float, steps: int) -> None:
    assert steps_apart(seconds) == steps


def draws() -> list[float]:
    return [float(torch.rand(())), float(np.random.rand()), random.random()]


def test_each_rank_gets_its_own_state_back() -> None:
    states = []
    expected = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        states.append(random_state())
        expected.append(draws())
    for rank in (1, 0):
        restore_random_state(states, rank=rank, world=2)
        assert draws() == expected[rank]


def test_another_number_of_ranks_draws_anew_each_its_own() -> None:
    torch.manual_seed(1)
    states = [random_state()]
    before = draws()
    found = []
    for rank in (0, 1, 0):
        restore_random_state(states, rank=rank, world=2)
        found.append(draws())
    assert found[0] == found[2] and found[0] != found[1] and before not in found
