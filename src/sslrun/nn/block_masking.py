"""Block-wise masks of patches (Bao et al. 2022, arXiv:2106.08254, algorithm 1), for all images of a batch at once."""

import math

import numpy as np
import torch
from torch import Tensor

from sslrun.core import dist
from sslrun.core.seeds import step_seed

ROUNDS = 16
"""Blocks tried per image."""
SMALLEST = 4
"""Fewest patches of a block, if that many are left to mask: DINOv2's code. BEiT's algorithm 1 has 16, as has iBOT's
code, (14 // 3)^2, on its grid."""
ASPECT = 0.3
"""Smallest height / width of a block; the largest is its inverse."""


def block_masks(numbers: Tensor, counts: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Overlay random rectangles until `counts` patches are masked; single random patches fill up the rest.

    A block that would mask too many is skipped, so that counts are exact.

    Args:
        numbers: (B, numbers_per_image(grid)) uniform in [0, 1), the only source of randomness.
        counts: (B,) int64, patches to mask.
        grid: rows and columns of patches.

    Returns:
        (B, N) bool, row by row, True if a patch is masked.
    """
    rows, columns = grid
    draws, order = numbers[:, : 4 * ROUNDS], numbers[:, 4 * ROUNDS :]
    y, x = torch.arange(rows), torch.arange(columns)
    is_masked = torch.zeros(len(counts), rows, columns, dtype=torch.bool)  # (B, H, W)
    left = counts.clone()  # (B,)
    for for_area, for_aspect, for_top, for_start in draws.reshape(-1, ROUNDS, 4).permute(1, 2, 0):
        smallest = left.clamp(max=SMALLEST)
        area = smallest + for_area * (left - smallest)  # (B,)
        aspect = torch.exp((2 * for_aspect - 1) * math.log(ASPECT))
        height = (area * aspect).sqrt().round().clamp(1, rows)
        width = (area / aspect).sqrt().round().clamp(1, columns)
        top = (for_top * (rows - height + 1)).floor()
        start = (for_start * (columns - width + 1)).floor()
        in_rows = (y >= top[:, None]) & (y < (top + height)[:, None])  # (B, H)
        in_columns = (x >= start[:, None]) & (x < (start + width)[:, None])  # (B, W)
        block = in_rows[:, :, None] & in_columns[:, None]  # (B, H, W)
        fits = (block & ~is_masked).sum(dim=(1, 2)) <= left  # (B,)
        is_masked |= block & fits[:, None, None]
        left = counts - is_masked.sum(dim=(1, 2))
    flat = is_masked.flatten(1)  # (B, N)
    place = order.masked_fill(flat, 2.0).argsort(dim=1).argsort(dim=1)  # (B, N): rank among what is visible
    return flat | (place < left[:, None])


def numbers_per_image(grid: tuple[int, int]) -> int:
    """Random numbers that `block_masks` needs per image."""
    return 4 * ROUNDS + grid[0] * grid[1]


class BlockMasks:
    """Masks as a pure function of seed, step and row: a resumed run redraws them, and nothing needs saving.

    Every rank draws for all ranks, so that it knows how many patches each masks, and N ranks mask what one process
    would. Computed on the CPU, so that shapes are known without waiting for the device.

    Args:
        share: of the views that are masked.
        ratios: smallest and largest share of masked patches in such a view; at least two are masked, since BatchNorm in
            a head needs two rows.
        seed: of the run, the same on all ranks.
    """

    def __init__(self, *, share: float, ratios: tuple[float, float], seed: int) -> None:
        self.share, self.ratios, self.seed = share, ratios, seed
        self._progress, self._micro_batch = 0.0, 0

    def begin(self, progress: float) -> None:
        """Call before each micro-batch: micro-batches of one step share `progress`, but not masks."""
        self._micro_batch = self._micro_batch + 1 if progress == self._progress else 0
        self._progress = progress

    def draw(self, views: int, rows: int, grid: tuple[int, int]) -> tuple[Tensor, list[int]]:
        """Masks for `views` views of this rank's `rows` images.

        Returns:
            (V*B, N) bool, view by view; and the number of masked patches on each rank.
        """
        world, patches = dist.world_size(), grid[0] * grid[1]
        numbers = self._numbers(views, world, rows, 2 + numbers_per_image(grid))  # (V, W, B, …)
        low, high = self.ratios
        ratio = low + (high - low) * numbers[..., 1]
        counts = (ratio * patches).long().clamp(min=min(2, patches)) * (numbers[..., 0] < self.share)  # (V, W, B)
        own = dist.rank()
        is_masked = block_masks(numbers[:, own, :, 2:].flatten(0, 1), counts[:, own].flatten(), grid=grid)
        return is_masked, counts.sum(dim=(0, 2)).tolist()

    def _numbers(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""
        rng = np.random.default_rng(step_seed(self._progress, self._micro_batch, self.seed))
        return torch.from_numpy(rng.random(shape, dtype=np.float32))
