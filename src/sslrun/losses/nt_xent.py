"""The normalised temperature-scaled cross-entropy of SimCLR."""

import torch
import torch.nn.functional as F
from torch import Tensor


def nt_xent(
    z1: Tensor,
    z2: Tensor,
    *,
    temperature: float,
    all_z1: Tensor | None = None,
    all_z2: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """NT-Xent (Chen et al. 2020, arXiv:2002.05709, eq. 1), mean over 2B anchors.

    Args:
        z1, z2: (B, D) projections of two views; rows with the same position are positives. Any scale.
        temperature: tau, above 0.
        all_z1, all_z2: (W*B, D) projections of all ranks, in rank order; None means this rank is alone.
        offset: row of `all_z1` at which this rank's begin.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    with torch.autocast(z1.device.type, enabled=False):
        z1, z2 = F.normalize(z1.float(), dim=1), F.normalize(z2.float(), dim=1)  # 2 x (B, D)
        a1 = z1 if all_z1 is None else F.normalize(all_z1.float(), dim=1)  # (N, D)
        a2 = z2 if all_z2 is None else F.normalize(all_z2.float(), dim=1)  # (N, D)
        own = torch.arange(len(z1), device=z1.device) + offset  # (B,)
        is_self = F.one_hot(own, len(a1)).bool()  # (B, N)
        same1 = (z1 @ a1.T / temperature).masked_fill(is_self, float("-inf"))  # (B, N)
        same2 = (z2 @ a2.T / temperature).masked_fill(is_self, float("-inf"))  # (B, N)
        logits1 = torch.cat([z1 @ a2.T / temperature, same1], dim=1)  # (B, 2N)
        logits2 = torch.cat([z2 @ a1.T / temperature, same2], dim=1)  # (B, 2N)
        return (F.cross_entropy(logits1, own) + F.cross_entropy(logits2, own)) / 2
