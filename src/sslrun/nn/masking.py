"""Which tokens are hidden: random ones, cells of several, blocks.

Masks are drawn for the rows of all ranks, of which each rank takes its own: ranks that are seeded alike hide what one
process would hide. They come from torch's global generators, which checkpoints save; a resume goes on with the next.
Of held-out items they are a function of the position.
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
    """Hide ceil(ratio x N) random tokens of each row, the same number in all (MAE: arXiv:2111.06377, section 3).

    Args:
        rows: B.
        tokens: N, at least 2.
        ratio: share to hide, in (0, 1); one token at least is hidden, and one stays.
        index: (B,) positions in held-out data, of which what is hidden is a function; None draws anew.

    Returns:
        keep (B, K) and hidden (B, N - K): positions, together every one once, in random order.
    """
    visible = tokens - _share(tokens, ratio)
    if index is None:
        drawn = dist.own(torch.rand(rows * dist.world_size(), tokens, device=device), rows)  # (B, N)
    else:
        drawn = torch.stack([torch.rand(tokens, generator=torch.Generator().manual_seed(i)) for i in index.tolist()])
    order = drawn.to(device).argsort(dim=1)  # (B, N)
    return order[:, :visible], order[:, visible:]


def random_cells(
    rows: int, grid: Grid, *, side: int, ratio: float, device: torch.device, index: Tensor | None = None
) -> Tensor:
    """Hide ceil(ratio x cells) random squares of `side` x `side` tokens (SimMIM: arXiv:2111.09886, section 3.2).

    Args:
        rows: B.
        grid: rows and columns of tokens, multiples of `side`, with two cells at least.
        side: of a cell, in tokens.
        ratio: share of the cells to hide, in (0, 1).
        index: as of `random_tokens`.

    Returns:
        is_masked: (B, N) bool, row by row of the grid.
    """
    assert grid[0] % side == 0 and grid[1] % side == 0
    cells = (grid[0] // side, grid[1] // side)
    _, hidden = random_tokens(rows, cells[0] * cells[1], ratio=ratio, device=device, index=index)  # (B, M)
    is_masked = torch.zeros(rows, cells[0] * cells[1], dtype=torch.bool, device=device).scatter_(1, hidden, True)
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
    """Several target blocks, and one large block without them (I-JEPA: arXiv:2301.08243, section 3 and figure 4).

    As in the authors' code, one size of target and one of context are drawn for all rows, so that shapes are
    rectangular, and all rows keep as many context tokens as the row that has fewest. Which ones is random here; the
    authors drop the last of the image.

    Args:
        rows: B.
        grid: rows and columns of tokens.
        targets: M.
        target_scale, context_scale: smallest and largest share of the grid that a block covers.
        target_aspect: smallest and largest height / width, relative to the grid's own; the context's is 1.
        min_context: smallest share of the grid that a row's context keeps; blocks that leave less are drawn again.

    Returns:
        keep (B, K), positions of the context, none of which is in a target; targets (B, M, Q), positions of the
        targets, which may overlap.

    Raises:
        ConfigError: the targets hardly ever leave so much context.
    """
    all_rows, least = rows * dist.world_size(), max(1, math.ceil(min_context * grid[0] * grid[1]))
    target_size, context_size = block_size(grid, target_scale, target_aspect), block_size(grid, context_scale, (1, 1))

    def draw() -> tuple[Tensor, Tensor]:
        blocks = _blocks(all_rows, targets, grid, target_size, device=device)  # (W*B, M, Q)
        around = _blocks(all_rows, 1, grid, context_size, device=device)[:, 0]  # (W*B, …)
        is_context = torch.zeros(all_rows, grid[0] * grid[1], dtype=torch.bool, device=device)
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
    keep = (is_context + torch.rand(is_context.shape, device=device)).topk(visible, dim=1).indices  # (W*B, K)
    return dist.own(keep, rows), dist.own(blocks, rows)


def block_size(grid: Grid, scale: Range, aspect: Range) -> tuple[int, int]:
    """Height and width of a random block: `scale` of the grid, `aspect` times as high for its width as the grid.

    Never the whole of a side, as in the authors' code.
    """
    s, a = (low + (high - low) * r for (low, high), r in zip((scale, aspect), torch.rand(2).tolist(), strict=True))
    height, width = round(grid[0] * math.sqrt(s * a)), round(grid[1] * math.sqrt(s / a))
    return min(max(height, 1), max(grid[0] - 1, 1)), min(max(width, 1), max(grid[1] - 1, 1))


def _blocks(rows: int, count: int, grid: Grid, size: tuple[int, int], *, device: torch.device) -> Tensor:
    """Positions of `count` blocks of one size at random places of each row, (rows, count, height * width)."""
    top, left = (
        torch.randint(whole - part + 1, (rows, count, 1, 1), device=device)
        for whole, part in zip(grid, size, strict=True)
    )
    down, right = torch.arange(size[0], device=device)[:, None], torch.arange(size[1], device=device)
    return ((top + down) * grid[1] + left + right).flatten(2)


def _share(count: int, ratio: float) -> int:
    return min(
        max(math.ceil(count * ratio - 1e-9), 1), count - 1
    )  # 1e-9: floats that exceed a whole number by a rounding
