"""Alignment and uniformity on the unit sphere: arXiv:2005.10242 (Wang and Isola 2020)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor


def alignment(z1: Tensor, z2: Tensor) -> Tensor:
    """Mean squared distance between positives, L_align with alpha = 2 (section 4.1).

    Args:
        z1, z2: (N, D) embeddings of the same N items; any norm.

    Returns:
        () between 0 (every pair parallel), 2 (orthogonal) and 4 (opposite).
    """
    return (_directions(z1) - _directions(z2)).square().sum(dim=1).mean()


def uniformity(z: Tensor, *, t: float = 2.0) -> Tensor:
    """Logarithm of the mean Gaussian potential over the N (N - 1) / 2 distinct pairs, L_uniform (section 4.1).

    Memory for all pairs: 200 MB of float32 for N = 10,000.

    Args:
        z: (N, D) embeddings of any norm, N >= 2.
        t: sharpness of the potential exp(-t d^2).

    Returns:
        () 0 if all directions are equal, lower if they spread; tends to -2t for uniform directions as D grows.
    """
    assert len(z) >= 2, f"uniformity needs two embeddings, got {len(z)}"
    squared = torch.pdist(_directions(z)).square()  # (N (N - 1) / 2,)
    return torch.logsumexp(-t * squared, dim=0) - math.log(squared.numel())


def _directions(z: Tensor) -> Tensor:
    return F.normalize(z if z.dtype == torch.float64 else z.float(), dim=1)
