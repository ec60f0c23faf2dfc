"""A first-in-first-out memory of embeddings; it lives in the checkpoint."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Queue(nn.Module):
    """The last `size` rows that were pushed, L2-normalised random rows before that.

    Every rank must push the same rows (gather them first), so that all ranks hold the same queue.

    Args:
        size: rows kept.
        dim: D.
    """

    rows: Tensor
    position: Tensor
    pushed: Tensor

    def __init__(self, size: int, dim: int) -> None:
        super().__init__()
        self.register_buffer("rows", F.normalize(torch.randn(size, dim), dim=1))  # (size, D)
        self.register_buffer("position", torch.zeros((), dtype=torch.int64))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Write (N, D) rows over the oldest ones; of more rows than fit, the last are kept."""
        rows = rows.detach().to(self.rows.dtype)[-len(self.rows) :]
        at = (self.position + torch.arange(len(rows), device=rows.device)) % len(self.rows)  # (N,)
        self.rows[at] = rows
        self.position.add_(len(rows)).remainder_(len(self.rows))
        self.pushed.add_(len(rows))
