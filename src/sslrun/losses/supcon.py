"""The supervised contrastive loss."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.losses.info_nce import self_mask


def supcon(
    z: Tensor,
    labels: Tensor,
    *,
    temperature: float,
    all_z: Tensor | None = None,
    all_labels: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """L_out of Khosla et al. 2020 (arXiv:2004.11362, eq. 2), mean over anchors.

    In training the authors multiply it by the temperature (section 4.5; by temperature / 0.07 in PyTorch); here the
    method does, if it is configured to.

    Args:
        z: (M, D) projections, the anchors; all views of all samples. Any scale.
        labels: (M,) int64 classes. The only anchor of a class adds 0.
        temperature: tau, above 0.
        all_z, all_labels: (N, D) and (N,) of all ranks, in rank order; None means this rank is alone.
        offset: row of `all_z` at which this rank's begin.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    with torch.autocast(z.device.type, enabled=False):
        z = F.normalize(z.float(), dim=1)  # (M, D)
        others = z if all_z is None else F.normalize(all_z.float(), dim=1)  # (N, D)
        classes = labels if all_labels is None else all_labels  # (N,)
        is_self = self_mask(len(z), len(others), offset=offset, device=z.device)  # (M, N)
        is_positive = (labels[:, None] == classes) & ~is_self  # (M, N)
        log_p = F.log_softmax((z @ others.T / temperature).masked_fill(is_self, float("-inf")), dim=1)  # (M, N)
        of_positives = log_p.masked_fill(~is_positive, 0).sum(dim=1)  # (M,)
        return -(of_positives / is_positive.sum(dim=1).clamp(min=1)).mean()
