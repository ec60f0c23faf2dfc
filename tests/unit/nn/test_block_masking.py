"""Block-wise masks: exact counts, in blocks, the same for the same step and row."""

import pytest
import torch
from torch import Tensor

from sslrun.core import dist
from sslrun.nn.block_masking import BlockMasks, block_masks, numbers_per_image


def uniform(rows: int, grid: tuple[int, int]) -> Tensor:
    return torch.rand(rows, numbers_per_image(grid), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("grid", [(2, 2), (8, 8), (14, 14), (4, 10)])
def test_counts_are_exact(grid: tuple[int, int]) -> None:
    patches = grid[0] * grid[1]
    counts = torch.arange(64) * patches // 63  # from none to all
    is_masked = block_masks(uniform(64, grid), counts, grid=grid)
    assert is_masked.shape == (64, patches) and is_masked.dtype == torch.bool
    assert is_masked.sum(dim=1).tolist() == counts.tolist()


def neighbours(is_masked: Tensor) -> float:
    """Share of the masked patches whose right-hand neighbour is masked: (B, H, W) ->"""
    return float((is_masked[:, :, :-1] & is_masked[:, :, 1:]).sum() / is_masked[:, :, :-1].sum())


def test_masks_are_blocks() -> None:
    counts = torch.full((512,), 59)  # .3 of 14 x 14: a random patch has .3 as neighbours
    is_masked = block_masks(uniform(512, (14, 14)), counts, grid=(14, 14)).unflatten(1, (14, 14))
    assert neighbours(is_masked) > 0.7


def test_every_place_is_masked_and_spared_at_times() -> None:
    share = block_masks(uniform(2000, (8, 8)), torch.full((2000,), 20), grid=(8, 8)).float().mean(dim=0)
    assert share.min() > 0.05 and share.max() < 0.6


def test_a_row_does_not_depend_on_the_others() -> None:
    numbers, counts = uniform(6, (8, 8)), torch.tensor([3, 10, 0, 32, 7, 19])
    whole = block_masks(numbers, counts, grid=(8, 8))
    assert torch.equal(block_masks(numbers[2:5], counts[2:5], grid=(8, 8)), whole[2:5])


def test_share_and_ratios() -> None:
    is_masked, counts = BlockMasks(share=0.5, ratios=(0.1, 0.5), seed=0).draw(2, 1000, (8, 8))
    masked = is_masked.sum(dim=1)  # (2000,)
    assert counts == [int(masked.sum())]
    assert float((masked > 0).float().mean()) == pytest.approx(0.5, abs=0.04)
    assert set(masked[masked > 0].tolist()) == set(range(6, 32))  # .1 and .5 of 64
    assert float(masked[masked > 0].float().mean()) == pytest.approx((6 + 31) / 2, abs=1)


def test_a_small_grid_masks_two_patches_at_least() -> None:
    is_masked, _ = BlockMasks(share=1.0, ratios=(0.1, 0.2), seed=0).draw(1, 8, (2, 2))
    assert is_masked.sum(dim=1).tolist() == [2] * 8


def test_masks_follow_the_seed_the_step_and_the_micro_batch_alone() -> None:
    def draw(*steps: float, seed: int = 0) -> list[Tensor]:
        masks, drawn = BlockMasks(share=1.0, ratios=(0.1, 0.5), seed=seed), []
        for progress in steps:
            masks.begin(progress)
            drawn.append(masks.draw(1, 4, (8, 8))[0])
        return drawn

    whole = draw(0.25, 0.25, 0.5, 0.5)
    assert torch.equal(draw(0.5)[0], whole[2])  # a resume at the third micro-batch
    assert not torch.equal(draw(0.5, seed=1)[0], whole[2])
    assert all(not torch.equal(a, b) for i, a in enumerate(whole) for b in whole[i + 1 :])


def test_ranks_share_the_masks_of_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    masks = BlockMasks(share=0.5, ratios=(0.1, 0.5), seed=0)
    whole, (total,) = masks.draw(2, 8, (8, 8))
    monkeypatch.setattr(dist, "world_size", lambda: 2)
    parts = []
    for rank in (0, 1):
        monkeypatch.setattr(dist, "rank", lambda rank=rank: rank)
        part, counts = masks.draw(2, 4, (8, 8))
        assert sum(counts) == total and counts[rank] == int(part.sum())
        parts.append(part.unflatten(0, (2, 4)))
    assert torch.equal(torch.cat(parts, dim=1).flatten(0, 1), whole)
