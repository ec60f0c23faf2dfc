"""Variance, invariance and covariance terms of VICReg."""

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.losses.covariance import off_diagonal_squares

EPSILON = 1e-4
"""Added to the variance, section 4.2."""


def vicreg(z1: Tensor, z2: Tensor, *, invariance: float, variance: float, covariance: float) -> Tensor:
    """VICReg (Bardes et al. 2022, arXiv:2105.04906, eq. 1 to 6 in the scale of algorithm 1).

    Algorithm 1 takes the mean of the squared distance also over D. The authors' later code halves the variance term:
    `variance=12.5` is their 25.

    Args:
        z1, z2: (N, D) embeddings of two views, rows of all ranks: the statistics are over the whole batch, N > 1.
        invariance, variance, covariance: weights lambda, mu, nu.

    Returns:
        () float32.
    """
    with torch.autocast(z1.device.type, enabled=False):
        z1, z2 = z1.float(), z2.float()
        loss = invariance * F.mse_loss(z1, z2)
        for z in (z1, z2):
            loss = loss + variance * variance_hinge(z) + covariance * covariance_penalty(z)
        return loss


def variance_hinge(z: Tensor) -> Tensor:
    """Mean over dimensions of what their standard deviation lacks to 1 (eq. 1 and 2); z: (N, D)."""
    return F.relu(1 - (z.var(dim=0) + EPSILON).sqrt()).mean()


def covariance_penalty(z: Tensor) -> Tensor:
    """Sum of squared covariances of different dimensions / D (eq. 3 and 4); z: (N, D)."""
    z = (z - z.mean(dim=0)) / (len(z) - 1) ** 0.5  # (N, D), z^T z is the covariance
    return off_diagonal_squares(z, z) / z.shape[1]
