"""Fixed positions of tokens."""

import torch
from torch import Tensor


def sincos_2d(dim: int, grid: tuple[int, int]) -> Tensor:
    """Sine-cosine positions of a grid, (N, dim): half the columns for the row, half for the column, row by row.

    A half holds sin(p w_i), then cos(p w_i), with w_i = 10000^(-4 i / dim) for i < dim / 4 (Vaswani et al. 2017,
    arXiv:1706.03762, section 3.5; in two dimensions as in MAE's code).
    """
    assert dim % 4 == 0, dim
    frequency = 10000 ** (-torch.arange(dim // 4, dtype=torch.float64) * 4 / dim)  # (dim / 4,)
    row, column = torch.meshgrid(*(torch.arange(n, dtype=torch.float64) for n in grid), indexing="ij")
    angles = [p.flatten()[:, None] * frequency for p in (row, column)]  # 2 x (N, dim / 4)
    return torch.cat([f(a) for a in angles for f in (torch.sin, torch.cos)], dim=1).float()
