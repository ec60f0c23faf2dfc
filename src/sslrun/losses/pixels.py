"""Losses of methods that predict hidden pixels, and their targets."""

import torch
from torch import Tensor

EPSILON = 1e-6
"""Added to the variance of a patch or window, as in the authors' code: one of a single colour has none."""


def normalized_patch_errors(prediction: Tensor, target: Tensor) -> Tensor:
    """Squared error to pixels that have mean 0 and variance 1 in each patch, mean over the patch.

    He et al. 2022, arXiv:2111.06377, section 3, reconstruction target; the unbiased variance, as in MAE's code.

    Args:
        prediction: (B, M, P), only of the hidden patches.
        target: (B, M, P) their pixels.

    Returns:
        (B, M) float32.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        variance, mean = torch.var_mean(target.float(), dim=-1, keepdim=True)  # 2 x (B, M, 1)
        normalized = (target.float() - mean) / (variance + EPSILON).sqrt()
        return (prediction.float() - normalized).square().mean(dim=-1)


def normalized_patch_mse(prediction: Tensor, target: Tensor) -> Tensor:
    """() float32: mean of `normalized_patch_errors` over all patches."""
    return normalized_patch_errors(prediction, target).mean()


def locally_normalized(x: Tensor, *, window: int) -> Tensor:
    """Pixels with the mean and the standard deviation of the window around them removed, in each channel.

    SimMIM's authors' code, github.com/microsoft/Swin-Transformer, models/simmim.py, `norm_targets`; the unbiased
    variance, over the part of the window that lies in the image.

    Args:
        x: (B, C, H, W).
        window: side of the window in pixels, odd and at least 3.

    Returns:
        (B, C, H, W) float32.
    """
    with torch.autocast(x.device.type, enabled=False):
        x = x.float()
        rows, columns = (_neighbours(side, window=window, device=x.device) for side in x.shape[2:])
        count = rows.sum(dim=1)[:, None] * columns.sum(dim=1)  # (H, W) pixels in each window
        mean, mean_square = (rows @ values @ columns / count for values in (x, x.square()))
        variance = (mean_square - mean.square()).clamp(min=0) * count / (count - 1)
        return (x - mean) / (variance + EPSILON).sqrt()


def _neighbours(side: int, *, window: int, device: torch.device) -> Tensor:
    """(side, side) 1.0 where two positions are within half a window; a product is ten times as fast as pooling."""
    position = torch.arange(side, device=device)
    return ((position[:, None] - position).abs() <= window // 2).float()


def masked_l1_sums(prediction: Tensor, target: Tensor, *, is_masked: Tensor) -> tuple[Tensor, Tensor]:
    """Absolute error, mean over each patch, summed over the hidden ones (Xie et al. 2022, arXiv:2111.09886, eq. 1).

    Args:
        prediction, target: (B, N, P).
        is_masked: (B, N) bool.

    Returns:
        (B,) float32 sums, and (B,) numbers of hidden patches.
    """
    with torch.autocast(prediction.device.type, enabled=False):
        error = (prediction.float() - target.float()).abs().mean(dim=-1)  # (B, N)
        return (error * is_masked).sum(dim=1), is_masked.sum(dim=1)


def masked_l1(prediction: Tensor, target: Tensor, *, is_masked: Tensor) -> Tensor:
    """() float32: `masked_l1_sums`, mean over the hidden patches of all rows, of which there is at least one."""
    sums, counts = masked_l1_sums(prediction, target, is_masked=is_masked)
    return sums.sum() / counts.sum()
