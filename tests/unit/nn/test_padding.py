"""Padding of sequences, by hand."""

import math

import torch

from sslrun.nn.padding import masked_mean, not_padding


def test_padding_begins_after_the_last_value() -> None:
    nan = math.nan
    series = torch.tensor([[[1.0], [nan], [2.0], [nan]], [[nan], [nan], [nan], [nan]]])  # (2, 4, 1)
    assert not_padding(series).tolist() == [[True, True, True, False], [True, False, False, False]]


def test_one_channel_with_a_value_is_enough() -> None:
    series = torch.tensor([[[1.0, 2.0], [math.nan, 3.0], [math.nan, math.nan]]])  # (1, 3, 2)
    assert not_padding(series).tolist() == [[True, True, False]]


def test_the_mean_is_of_what_is_valid() -> None:
    tokens = torch.tensor([[[1.0, 2.0], [3.0, 6.0], [100.0, 100.0]], [[5.0, 5.0]] * 3])  # (2, 3, 2)
    is_valid = torch.tensor([[True, True, False], [False, False, False]])
    assert masked_mean(tokens, is_valid).tolist() == [[2.0, 4.0], [0.0, 0.0]]
    assert torch.equal(masked_mean(tokens[:, None], is_valid[:, None]), masked_mean(tokens, is_valid)[:, None])
