"""CLIP's loss with several positives (Radford et al. 2021, arXiv:2103.00020; Yang et al. 2022, arXiv:2204.03610)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def clip_loss(
    images: Tensor,
    texts: Tensor,
    *,
    scale: Tensor,
    captions: Tensor,
    all_images: Tensor | None = None,
    all_texts: Tensor | None = None,
    all_captions: Tensor | None = None,
) -> Tensor:
    """Figure 3 of CLIP: cross-entropy from images to texts and from texts to images, halved.

    Pairs with equal captions share the target evenly, as in UniCL; without equal captions this is CLIP's loss.

    Args:
        images, texts: (B, P) of this rank, row by row. Any norm; cosines are compared.
        scale: () inverse temperature.
        captions: (B,) ids, equal for equal captions.
        all_images, all_texts, all_captions: (W*B, …) of all ranks in rank order; None means this rank is alone.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    with torch.autocast(images.device.type, enabled=False):
        x, y = (F.normalize(z.float(), dim=1) for z in (images, texts))
        all_x = x if all_images is None else F.normalize(all_images.float(), dim=1)
        all_y = y if all_texts is None else F.normalize(all_texts.float(), dim=1)
        is_positive = same_caption(captions, all_captions).float()  # (B, N)
        target = is_positive / is_positive.sum(dim=1, keepdim=True)
        to_texts = F.cross_entropy(scale.float() * x @ all_y.T, target)
        to_images = F.cross_entropy(scale.float() * y @ all_x.T, target)
        return (to_texts + to_images) / 2


def same_caption(captions: Tensor, all_captions: Tensor | None = None) -> Tensor:
    """(B, N) bool: whether row i's caption is that of row j of all, the pair itself included."""
    return captions[:, None] == (captions if all_captions is None else all_captions)[None]
