"""Regression onto a target embedding, as BYOL does it."""

import torch
import torch.nn.functional as F
from torch import Tensor


def normalized_mse(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared distance of L2-normalised rows, 2 - 2 cos (Grill et al. 2020, arXiv:2006.07733, eq. 2), mean over rows.

    Args:
        prediction: (B, D).
        target: (B, D); no gradient flows into it.

    Returns:
        () float32 in [0, 4].
    """
    with torch.autocast(prediction.device.type, enabled=False):
        cosine = F.cosine_similarity(prediction.float(), target.detach().float(), dim=1)  # (B,)
        return (2 - 2 * cosine).mean()
