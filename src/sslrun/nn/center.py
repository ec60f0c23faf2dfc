"""The running mean of a teacher's outputs."""

import torch
from torch import Tensor, nn

from sslrun.core import dist


class Center(nn.Module):
    """Moving average of the mean output over all ranks (arXiv:2104.14294, eq. 4); saved in checkpoints.

    Forward passes `observe` their outputs and after_step `update`s the average: the micro-batches of one optimizer step
    count as one large batch.
    """

    value: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(dim))  # (K,)
        self._means: list[Tensor] = []  # empty between optimizer steps, hence no state

    @torch.no_grad()
    def observe(self, outputs: Tensor) -> None:
        """Record the mean of (N, K) outputs, equally many on each rank; does nothing outside of training."""
        if self.training:
            self._means.append(dist.gather(outputs.float().mean(dim=0, keepdim=True)).mean(dim=0))

    @torch.no_grad()
    def update(self, *, momentum: float) -> None:
        """value <- momentum * value + (1 - momentum) * mean of what was observed since the last call."""
        if self._means:
            self.value.lerp_(torch.stack(self._means).mean(dim=0), 1 - momentum)
        self._means.clear()
