"""The seed that methods draw their masks and directions from."""

import torch

from sslrun.core.seeds import seed_of_run


def test_it_does_not_depend_on_what_was_drawn_before() -> None:
    """A rank that had to decode the dataset first has drawn more than the others."""
    torch.manual_seed(3)
    first = seed_of_run()
    torch.rand(5)
    assert seed_of_run() == first
    torch.manual_seed(4)
    assert seed_of_run() != first
