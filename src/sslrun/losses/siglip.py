"""SigLIP's loss (Zhai et al. 2023, arXiv:2303.15343): is this text that image's, asked of every pair by itself."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.losses.clip import same_caption


def siglip_loss(
    images: Tensor,
    texts: Tensor,
    *,
    scale: Tensor,
    bias: Tensor,
    captions: Tensor,
    all_texts: Tensor | None = None,
    all_captions: Tensor | None = None,
) -> Tensor:
    """Eq. 1: -1/B sum over i, j of log sigmoid(z_ij (scale x_i . y_j + bias)), z = 1 if captions are equal, else -1.

    Args:
        images, texts: (B, P) of this rank, row by row. They may have any scale; cosines are compared.
        scale, bias: () inverse temperature and what is added to every pair.
        captions: (B,) numbers, equal for equal captions.
        all_texts, all_captions: (W*B, …) of all ranks in rank order; None means this rank is alone.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    with torch.autocast(images.device.type, enabled=False):
        x = F.normalize(images.float(), dim=1)
        y = F.normalize((texts if all_texts is None else all_texts).float(), dim=1)
        logits = scale.float() * x @ y.T + bias.float()  # (B, N)
        z = same_caption(captions, all_captions).to(logits.dtype) * 2 - 1
        return -F.logsigmoid(z * logits).sum(dim=1).mean()
