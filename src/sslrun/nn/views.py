"""Encoding several views of an image."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from sslrun.nn.norms import has_batch_norm


def encode_views(encoder: nn.Module, views: Sequence[Tensor], *, joint: bool = True) -> list[Tensor]:
    """Encode views, with one forward pass per image size.

    Args:
        encoder: (B, C, H, W) -> (B, D).
        views: V tensors of (B, C, H, W); H and W may differ between views.
        joint: False gives each view its own pass, and so its own BatchNorm statistics, if the encoder has BatchNorm.

    Returns:
        V tensors of (B, D), in the order of `views`.
    """
    if not joint and has_batch_norm(encoder):
        return [encoder(view) for view in views]
    encoded: dict[int, Tensor] = {}
    for size in dict.fromkeys(view.shape[-2:] for view in views):
        places = [i for i, view in enumerate(views) if view.shape[-2:] == size]
        together = encoder(torch.cat([views[i] for i in places]))  # (len(places) * B, D)
        encoded.update(zip(places, together.chunk(len(places)), strict=True))
    return [encoded[i] for i in range(len(views))]


def global_views(views: Sequence[Tensor]) -> list[Tensor]:
    """The views of the largest size: the global crops of a multi-crop policy."""
    largest = max(view.shape[-1] for view in views)
    return [view for view in views if view.shape[-1] == largest]
