"""The normalised temperature-scaled cross-entropy of SimCLR."""

import torch
from torch import Tensor

from sslrun.losses.info_nce import info_nce, self_mask


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

    InfoNCE whose negatives are both views of all other images.

    Args:
        z1, z2: (B, D) projections of two views; rows with the same position are positives. Any scale.
        temperature: tau, above 0.
        all_z1, all_z2: (W*B, D) projections of all ranks, in rank order; None means this rank is alone.
        offset: row of `all_z1` at which this rank's begin.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    everyone = torch.cat([z1 if all_z1 is None else all_z1, z2 if all_z2 is None else all_z2])  # (2N, D)
    is_self = self_mask(len(z1), len(everyone) // 2, offset=offset, device=z1.device).repeat(1, 2)  # (B, 2N)
    loss1 = info_nce(z1, z2, everyone, temperature=temperature, is_excluded=is_self)
    loss2 = info_nce(z2, z1, everyone, temperature=temperature, is_excluded=is_self)
    return (loss1 + loss2) / 2
