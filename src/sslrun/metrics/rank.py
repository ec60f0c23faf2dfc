"""Effective rank and spread of embeddings: label-free indicators of collapse."""

import torch
import torch.nn.functional as F
from torch import Tensor

EPSILON = 1e-7  # the paper's, for float32


def rankme(z: Tensor) -> Tensor:
    """RankMe, the exponential of the entropy of the singular values: eq. 1, arXiv:2210.02885 (Garrido et al. 2023).

    The embeddings are not centred, as in the paper, so a non-zero mean counts as a dimension. The paper uses 25,600
    rows; the value cannot exceed N. Costs one singular value decomposition.

    Args:
        z: (N, D) embeddings.

    Returns:
        () between 1 (one direction, or all zero) and min(N, D).
    """
    sigma = torch.linalg.svdvals(_at_least_float32(z))  # (min(N, D),)
    p = sigma / sigma.sum().clamp_min(torch.finfo(sigma.dtype).tiny) + EPSILON
    return torch.exp(-(p * p.log()).sum())


def relative_std(z: Tensor) -> Tensor:
    """Standard deviation of normalised embeddings, relative to isotropic ones: section 4.1, arXiv:2011.10566 (SimSiam).

    Args:
        z: (N, D) embeddings of any norm.

    Returns:
        () sqrt(D) times the mean over dimensions of the standard deviation (over N, not N - 1) of z / ||z||:
        1 for isotropic directions, 0 if all are equal.
    """
    directions = F.normalize(_at_least_float32(z), dim=1)  # (N, D)
    return directions.std(dim=0, correction=0).mean() * z.shape[1] ** 0.5


def _at_least_float32(z: Tensor) -> Tensor:
    return z if z.dtype == torch.float64 else z.float()
