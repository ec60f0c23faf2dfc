"""The redundancy-reduction loss of Barlow Twins."""

import torch
from torch import Tensor

from sslrun.losses.covariance import off_diagonal_squares

EPSILON = 1e-5
"""Added to the variance, as BatchNorm does in the authors' code."""


def barlow_twins(z1: Tensor, z2: Tensor, *, off_diagonal: float) -> Tensor:
    """Cross-correlation against the identity (Zbontar et al. 2021, arXiv:2103.03230, eq. 1 and 2).

    Args:
        z1, z2: (N, D) embeddings of two views, with the rows of all ranks; N > 1.
        off_diagonal: lambda, weight of the redundancy term.

    Returns:
        () float32.
    """
    with torch.autocast(z1.device.type, enabled=False):
        z1, z2 = _standardized(z1.float()), _standardized(z2.float())  # 2 x (N, D)
        diagonal = (z1 * z2).sum(dim=0)  # (D,), of the correlations
        return (1 - diagonal).square().sum() + off_diagonal * off_diagonal_squares(z1, z2)


def _standardized(z: Tensor) -> Tensor:
    """Columns of mean 0 and squared length 1, so that z1^T z2 is the correlation; (N, D) -> (N, D)."""
    variance, mean = torch.var_mean(z, dim=0, correction=0)
    return (z - mean) / ((variance + EPSILON) * len(z)).sqrt()
