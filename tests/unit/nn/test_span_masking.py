"""Spans of hidden moments: where they begin, how many there are, what stays visible."""

import pytest
import torch

from sslrun.nn.span_masking import mask_spans


def test_spans_begin_at_the_smallest_numbers_and_may_overlap() -> None:
    drawn = torch.tensor([[0.9, 0.1, 0.8, 0.2, 0.7, 0.6, 0.5, 0.0, 0.0, 0.0]])
    hidden = mask_spans(drawn, torch.tensor([10]), share=0.2, span=3, at_least=1)  # beginnings 0 to 7, two of them
    assert hidden[0].nonzero()[:, 0].tolist() == [1, 2, 3, 7, 8, 9]
    overlapping = mask_spans(drawn, torch.tensor([9]), share=0.25, span=3, at_least=1)  # beginnings 0 to 6
    assert overlapping[0].nonzero()[:, 0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("moments", "hidden"), [(1, []), (2, [0, 1]), (3, [0, 1]), (5, [0, 1, 2])])
def test_clips_of_less_than_two_spans_have_spans_of_half_their_length(moments: int, hidden: list[int]) -> None:
    drawn = torch.arange(8.0)[None]
    found = mask_spans(drawn, torch.tensor([moments]), share=0.065, span=10, at_least=2)
    assert found[0].nonzero()[:, 0].tolist() == hidden


def test_a_row_has_the_same_spans_whatever_stands_beside_it() -> None:
    drawn = torch.rand(2, 40, generator=torch.Generator().manual_seed(0))
    both = mask_spans(drawn, torch.tensor([40, 25]), share=0.1, span=5, at_least=1)
    alone = mask_spans(drawn[1:, :25], torch.tensor([25]), share=0.1, span=5, at_least=1)
    assert torch.equal(both[1, :25], alone[0]) and not both[1, 25:].any()


def test_the_papers_share_hides_about_half() -> None:
    drawn = torch.rand(64, 750, generator=torch.Generator().manual_seed(0))
    hidden = mask_spans(drawn, torch.full((64,), 750), share=0.065, span=10, at_least=1)
    assert abs(hidden.float().mean().item() - 0.49) < 0.02  # section 4.2: 49 % of the moments
