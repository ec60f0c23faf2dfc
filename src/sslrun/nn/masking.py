"""Random masks of tokens: single tokens, square cells, blocks.

Each rank draws masks for all ranks and takes its own, so that equally seeded ranks mask what one process would. They
come from torch's global generators, which checkpoints save, so that a resumed run continues the sequence. Masks of
held-out items depend only on the item's index.
"""

import math

import torch
from torch import Tensor

from sslrun.config.errors import ConfigError
from sslrun.core import dist

Grid = tuple[int, int]
Range = tuple[float, float]
TRIES = 100


def take(tokens: Tensor, ids: Tensor) -> Tensor:
    """Tokens (B, N, D) at positions (B, K) -> (B, K, D)."""
    return tokens.gather(1, ids[..., None].expand(-1, -1, tokens.shape[-1]))


def random_tokens(
    rows: int, tokens: int, *, ratio: float, device: torch.device, index: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Mask ceil(ratio x N) random tokens of each row, equally many in all (MAE: arXiv:2111.06377, section 3).

    Args:
        rows: B.
        tokens: N, at least 2.
        ratio: share to mask, in (0, 1); at least one token is masked, and one is kept.
        index: (B,) indices of held-out items, which determine their masks; None draws new ones.

    Returns:
        keep (B, K) and masked (B, N - K): positions in random order, together each exactly once.
    """
    visible = tokens - _share(tokens, ratio)
    if index is None:
        drawn = dist.local_rows(torch.rand(rows * dist.world_size(), tokens, device=device), rows)  # (B, N)
    else:
        drawn = torch.stack([torch.rand(tokens, generator=torch.Generator().manual_seed(i)) for i in index.tolist()])
    order = drawn.to(device).argsort(dim=1)  # (B, N)
    return order[:, :visible], order[:, visible:]


def random_cells(
    rows: int, grid: Grid, *, side: int, ratio: float, device: torch.device, index: Tensor | None = None
) -> Tensor:
    """Mask ceil(ratio x cells) random squares of `side` x `side` tokens (SimMIM: arXiv:2111.09886, section 3.2).

    Args:
        rows: B.
        grid: rows and columns of tokens, multiples of `side`, with at least two cells.
        side: of a cell, in tokens.
        ratio: share of the cells to mask, in (0, 1).
        index: as for `random_tokens`.

    Returns:
        is_masked: (B, N) bool, row by row of the grid.
    """
    assert grid[0] % side == 0 and grid[1] % side == 0
    cells = (grid[0] // side, grid[1] // side)
    _, masked = random_tokens(rows, cells[0] * cells[1], ratio=ratio, device=device, index=index)  # (B, M)
    is_masked = torch.zeros(rows, cells[0] * cells[1], dtype=torch.bool, device=device).scatter_(1, masked, True)
    is_masked = is_masked.reshape(rows, *cells)  # (B, rows of cells, columns of cells)
    return is_masked.repeat_interleave(side, dim=1).repeat_interleave(side, dim=2).flatten(1)  # (B, N)


def context_and_targets(
    rows: int,
    grid: Grid,
    *,
    targets: int,
    target_scale: Range,
    target_aspect: Range,
    context_scale: Range,
    min_context: float,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """Target blocks, and one large context block without them (I-JEPA: arXiv:2301.08243, section 3 and figure 4).

    As in the authors' code, all rows share one target size and one context size, and all keep as many context tokens as
    the row with the fewest. Here a random selection is kept; the authors drop the last tokens of the image. Drawn on
    the CPU, so that shapes are known without waiting for the device.

    Args:
        rows: B.
        grid: rows and columns of tokens.
        targets: M.
        target_scale, context_scale: smallest and largest share of the grid that a block covers.
        target_aspect: smallest and largest height / width, relative to the grid's; the context's is 1.
        min_context: smallest share of the grid in a row's context; blocks that leave less are redrawn.

    Returns:
        keep (B, K), positions of the context, outside all targets; targets (B, M, Q), positions of the targets, which
        may overlap.

    Raises:
        ConfigError: targets this large hardly ever leave enough context.
    """
    all_rows, least = rows * dist.world_size(), max(1, math.ceil(min_context * grid[0] * grid[1]))
    target_size, context_size = block_size(grid, target_scale, target_aspect), block_size(grid, context_scale, (1, 1))

    def draw() -> tuple[Tensor, Tensor]:
        blocks = _blocks(all_rows, targets, grid, target_size)  # (W*B, M, Q)
        around = _blocks(all_rows, 1, grid, context_size)[:, 0]  # (W*B, …)
        is_context = torch.zeros(all_rows, grid[0] * grid[1], dtype=torch.bool)
        return blocks, is_context.scatter_(1, around, True).scatter_(1, blocks.flatten(1), False)

    blocks, is_context = draw()
    for _ in range(TRIES):
        too_few = is_context.sum(dim=1) < least  # (W*B,)
        if not too_few.any():
            break
        other_blocks, other_context = draw()
        blocks = torch.where(too_few[:, None, None], other_blocks, blocks)
        is_context = torch.where(too_few[:, None], other_context, is_context)
    else:
        raise ConfigError(
            f"{targets} blocks of {target_size[0]}x{target_size[1]} tokens leave fewer than {least} of the "
            f"{grid[0]}x{grid[1]} grid as context; lower method.targets, method.target_scale or method.min_context"
        )
    visible = int(is_context.sum(dim=1).min())
    keep = (is_context + torch.rand(is_context.shape)).topk(visible, dim=1).indices  # (W*B, K)
    return dist.local_rows(keep, rows).to(device), dist.local_rows(blocks, rows).to(device)


def block_size(grid: Grid, scale: Range, aspect: Range) -> tuple[int, int]:
    """Height and width of a random block: a share of the grid, with height / width relative to the grid's.

    Always smaller than the grid in both directions, as in the authors' code.
    """
    s, a = (low + (high - low) * r for (low, high), r in zip((scale, aspect), torch.rand(2).tolist(), strict=True))
    height, width = round(grid[0] * math.sqrt(s * a)), round(grid[1] * math.sqrt(s / a))
    return min(max(height, 1), max(grid[0] - 1, 1)), min(max(width, 1), max(grid[1] - 1, 1))


def _blocks(rows: int, count: int, grid: Grid, size: tuple[int, int]) -> Tensor:
    """Positions of `count` randomly placed blocks of one size per row, (rows, count, height * width)."""
    top, left = (torch.randint(whole - part + 1, (rows, count, 1, 1)) for whole, part in zip(grid, size, strict=True))
    down, right = torch.arange(size[0])[:, None], torch.arange(size[1])
    return ((top + down) * grid[1] + left + right).flatten(2)


def _share(count: int, ratio: float) -> int:
    masked = math.ceil(count * ratio - 1e-9)  # 1e-9: products that exceed a whole number by rounding
    return min(max(masked, 1), count - 1)
