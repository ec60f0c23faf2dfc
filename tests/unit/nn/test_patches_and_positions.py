"""Patches of images, fixed positions, and the transformer that fills in places."""

import math

import numpy as np
import pytest
import torch

from sslrun.nn.patches import patchify
from sslrun.nn.positions import sincos_2d
from sslrun.nn.predictor import TokenPredictor


@pytest.mark.parametrize("patch", [(4, 4), (4, 2), (1, 4)])
@pytest.mark.parametrize("shape", [(2, 3, 8, 8), (2, 1, 4, 12), (1, 5, 12, 4)])
def test_patches_stand_row_by_row(shape: tuple[int, ...], patch: tuple[int, int]) -> None:
    x = torch.randn(shape)
    patches = patchify(x, patch=patch)
    rows, columns = shape[2] // patch[0], shape[3] // patch[1]
    assert patches.shape == (shape[0], rows * columns, patch[0] * patch[1] * shape[1])
    assert torch.equal(patches[:, 0], x[:, :, : patch[0], : patch[1]].permute(0, 2, 3, 1).flatten(1))


def test_patches_stand_row_by_row_also_where_memory_is_channels_last() -> None:
    x = torch.arange(2 * 3 * 4 * 6.0).view(2, 3, 4, 6).contiguous(memory_format=torch.channels_last)
    patches = patchify(x, patch=(2, 2))
    assert torch.equal(patches[:, 4], x[:, :, 2:4, 2:4].permute(0, 2, 3, 1).flatten(1))  # grid 2 x 3: row 1, column 1


def positions_of(row: int, column: int, dim: int) -> np.ndarray:
    """Of one place: sin and cos of its row, then of its column."""
    quarter = dim // 4
    return np.array(
        [
            f(place / 10000 ** (i / quarter))
            for place in (row, column)
            for f in (math.sin, math.cos)
            for i in range(quarter)
        ]
    )


def test_positions_are_the_formula() -> None:
    positions = sincos_2d(16, (3, 5))
    assert (positions.shape, positions.dtype) == ((15, 16), torch.float32)
    for row, column in ((0, 0), (1, 4), (2, 3)):
        np.testing.assert_allclose(positions[row * 5 + column].numpy(), positions_of(row, column, 16), atol=1e-6)


@pytest.fixture
def predictor() -> TokenPredictor:
    torch.manual_seed(0)
    return TokenPredictor(12, 5, grid=(2, 4), width=16, depth=2, heads=2)


def test_a_predictor_gives_one_row_a_place_whatever_their_order(predictor: TokenPredictor) -> None:
    tokens, at, ask = torch.randn(3, 4, 12), torch.tensor([[0, 2, 5, 7]] * 3), torch.tensor([[1, 3, 4]] * 3)
    predicted = predictor(tokens, at=at, predict_at=ask)
    assert predicted.shape == (3, 3, 5)
    seen, asked = torch.tensor([2, 0, 3, 1]), torch.tensor([1, 2, 0])
    again = predictor(tokens[:, seen], at=at[:, seen], predict_at=ask[:, asked])
    torch.testing.assert_close(again, predicted[:, asked])


def test_a_predictor_knows_where_its_tokens_stand(predictor: TokenPredictor) -> None:
    tokens, at, ask = torch.randn(1, 2, 12), torch.tensor([[0, 1]]), torch.tensor([[3]])
    predicted = predictor(tokens, at=at, predict_at=ask)
    assert not torch.allclose(predicted, predictor(tokens, at=at.flip(1), predict_at=ask), atol=1e-4)
    assert not torch.allclose(predicted, predictor(tokens, at=at, predict_at=ask + 1), atol=1e-4)
