"""A first-in-first-out queue of embeddings, saved in checkpoints."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Queue(nn.Module):
    """The last `size` pushed rows; before that many were pushed, L2-normalised random rows.

    Every rank must push the same rows (gather them first), so that all hold the same queue. Forward passes `defer`
    their rows and after_step pushes them: all micro-batches of one optimizer step then see the same queue, as one
    large batch would.

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
        self._deferred: list[Tensor] = []  # empty between optimizer steps, hence no state

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Overwrite the oldest rows with (N, D) new ones; if more are given than fit, the last are kept."""
        rows = rows.detach().to(self.rows.dtype)[-len(self.rows) :]
        at = (self.position + torch.arange(len(rows), device=rows.device)) % len(self.rows)  # (N,)
        self.rows[at] = rows
        self.position.add_(len(rows)).remainder_(len(self.rows))
        self.pushed.add_(len(rows))

    def defer(self, rows: Tensor) -> None:
        """Keep (N, D) rows for `push_deferred`; does nothing outside of training."""
        if self.training:
            self._deferred.append(rows.detach())

    def push_deferred(self) -> None:
        """Push the rows deferred since the last call, in order."""
        if self._deferred:
            self.push(torch.cat(self._deferred))
        self._deferred.clear()

    @torch.no_grad()
    def nearest(self, z: Tensor) -> Tensor:
        """(B, D) -> (B, D): for each row of z, of any norm, the unit-length row with the largest cosine."""
        with torch.autocast(z.device.type, enabled=False):
            return self.rows[(F.normalize(z.float(), dim=1) @ self.rows.T).argmax(dim=1)]
