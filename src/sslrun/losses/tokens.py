"""Regression onto the tokens of a target encoder."""

import torch
import torch.nn.functional as F
from torch import Tensor


def normalized_smooth_l1(prediction: Tensor, target: Tensor) -> Tensor:
    """Smooth L1 to targets of mean 0 and variance 1 in each token, mean over all.

    Assran et al. 2023, arXiv:2301.08243, section 3; the paper writes L2, the authors' code takes smooth L1 (e^2 / 2
    for errors below 1, |e| - 1/2 above) to layer-normalised targets.

    Args:
        prediction: (B, N, D).
        target: (B, N, D); no gradient flows into it.

    Returns:
        () float32.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        target = F.layer_norm(target.detach().float(), target.shape[-1:])
        return F.smooth_l1_loss(prediction.float(), target)
