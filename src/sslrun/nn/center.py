"""The running mean of a teacher's outputs."""

import torch
from torch import Tensor, nn

from sslrun.core import dist


class Center(nn.Module):
    """Mean of (N, K) outputs over all ranks, followed slowly (arXiv:2104.14294, eq. 4); it lives in the checkpoint.

    A forward pass `watch`es its outputs and after_step `follow`s their mean: the micro-batches of one optimizer step
    count as one large batch.
    """

    value: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("value", torch.zeros(dim))  # (K,)
        self._means: list[Tensor] = []  # empty between optimizer steps, hence no state

    @torch.no_grad()
    def watch(self, outputs: Tensor) -> None:
        """Remember the mean of (N, K) outputs, as many on every rank; outside of training they are dropped."""
        if self.training:
            self._means.append(dist.gather(outputs.float().mean(dim=0, keepdim=True)).mean(dim=0))

    @torch.no_grad()
    def follow(self, *, momentum: float) -> None:
        """value <- momentum * value + (1 - momentum) * mean of what was watched since the last call."""
        if self._means:
            self.value.lerp_(torch.stack(self._means).mean(dim=0), 1 - momentum)
        self._means.clear()
