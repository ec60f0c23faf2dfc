"""Masks: exact shares, whole cells, blocks that never meet the context."""

import pytest
import torch

from sslrun.config.errors import ConfigError
from sslrun.nn.masking import block_size, context_and_targets, random_cells, random_tokens, take

CPU = torch.device("cpu")
PAPER = {"targets": 4, "target_scale": (0.15, 0.2), "target_aspect": (0.75, 1.5), "context_scale": (0.85, 1.0)}


@pytest.mark.parametrize(
    ("tokens", "ratio", "hidden"),
    [(196, 0.75, 147), (64, 0.6, 39), (64, 0.75, 48), (10, 0.7, 7), (200, 0.55, 110), (2, 0.99, 1), (2, 0.01, 1)],
)
def test_every_row_hides_the_same_exact_share(tokens: int, ratio: float, hidden: int) -> None:
    keep, away = random_tokens(5, tokens, ratio=ratio, device=CPU)
    assert (keep.shape, away.shape) == ((5, tokens - hidden), (5, hidden))
    assert torch.equal(torch.cat([keep, away], dim=1).sort(dim=1).values, torch.arange(tokens).expand(5, -1))


def test_every_token_is_hidden_equally_often() -> None:
    torch.manual_seed(0)
    _, hidden = random_tokens(4000, 12, ratio=0.75, device=CPU)
    share = torch.bincount(hidden.flatten(), minlength=12) / 4000
    torch.testing.assert_close(share, torch.full((12,), 0.75), atol=0.03, rtol=0)  # 4 standard errors


def test_cells_are_hidden_whole() -> None:
    is_masked = random_cells(6, (4, 10), side=2, ratio=0.6, device=CPU)
    assert (is_masked.shape, is_masked.dtype) == ((6, 40), torch.bool)
    cells = is_masked.view(6, 2, 2, 5, 2).transpose(2, 3).flatten(3)  # (6, 2, 5, 4)
    assert torch.equal(cells.all(dim=-1), cells.any(dim=-1))
    assert cells.all(dim=-1).flatten(1).sum(dim=1).tolist() == [6] * 6


def test_another_draw_is_another_mask_and_another_row_too() -> None:
    torch.manual_seed(0)
    first, second = (random_cells(2, (8, 8), side=1, ratio=0.5, device=CPU) for _ in range(2))
    assert not torch.equal(first, second) and not torch.equal(first[0], first[1])


@pytest.mark.parametrize("grid", [(14, 14), (8, 8), (4, 4), (2, 2), (5, 40)])
def test_a_context_never_holds_a_target(grid: tuple[int, int]) -> None:
    torch.manual_seed(0)
    for _ in range(10):
        keep, targets = context_and_targets(16, grid, **PAPER, min_context=0.04, device=CPU)
        assert targets.shape[:2] == (16, 4)
        is_target = torch.zeros(16, grid[0] * grid[1], dtype=torch.bool).scatter_(1, targets.flatten(1), True)
        assert not is_target.gather(1, keep).any()
        assert all(len(row.unique()) == keep.shape[1] >= 1 for row in keep)


def test_targets_are_blocks_of_one_size_at_many_places() -> None:
    torch.manual_seed(0)
    _, targets = context_and_targets(64, (14, 10), **PAPER, min_context=0.04, device=CPU)
    rows, columns = targets // 10, targets % 10  # (64, 4, Q)
    heights = rows.amax(dim=2) - rows.amin(dim=2) + 1
    widths = columns.amax(dim=2) - columns.amin(dim=2) + 1
    assert len(heights.unique()) == len(widths.unique()) == 1
    height, width = int(heights[0, 0]), int(widths[0, 0])
    assert targets.shape[2] == height * width
    assert all(len(block.unique()) == height * width for block in targets.flatten(0, 1))
    corners = {(int(r), int(c)) for r, c in zip(rows[..., 0].flatten(), columns[..., 0].flatten(), strict=True)}
    assert len(corners) == (14 - height + 1) * (10 - width + 1)  # every place, the last included


def test_block_sizes_cover_their_share_of_any_grid() -> None:
    torch.manual_seed(0)
    for grid in ((16, 16), (8, 64)):
        sizes = torch.tensor([block_size(grid, (0.15, 0.2), (0.75, 1.5)) for _ in range(300)], dtype=torch.float64)
        share = sizes.prod(dim=1) / (grid[0] * grid[1])
        assert share.mean().item() == pytest.approx(0.175, abs=0.01)
        aspect = sizes[:, 0] / sizes[:, 1] * grid[1] / grid[0]
        assert aspect.mean().item() == pytest.approx(1.125, abs=0.06)
    assert block_size((8, 8), (1.0, 1.0), (1.0, 1.0)) == (7, 7)  # as in the authors' code
    assert block_size((2, 2), (0.01, 0.01), (1.0, 1.0)) == (1, 1)


def test_min_context_holds() -> None:
    torch.manual_seed(0)
    for _ in range(10):
        keep, _ = context_and_targets(64, (8, 8), **PAPER, min_context=0.3, device=CPU)
        assert keep.shape[1] >= 20  # .3 x 64 = 19.2


def test_blocks_that_leave_no_context_are_refused() -> None:
    whole = PAPER | {"target_scale": (1.0, 1.0), "target_aspect": (1.0, 1.0)}
    with pytest.raises(ConfigError, match="4 blocks of 7x7 tokens leave fewer than 32 of the 8x8 grid as context"):
        context_and_targets(2, (8, 8), **whole, min_context=0.5, device=CPU)


def test_take() -> None:
    tokens = torch.arange(12.0).view(2, 3, 2)
    taken = take(tokens, torch.tensor([[2, 0], [1, 1]]))
    assert taken.tolist() == [[[4, 5], [0, 1]], [[8, 9], [8, 9]]]
