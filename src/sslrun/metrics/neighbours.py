"""Weighted k-nearest-neighbour classification: section 3.4, arXiv:1805.01978 (Wu et al. 2018)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def nearest(train: Tensor, test: Tensor, *, k: int, max_similarities: int = 2**25) -> tuple[Tensor, Tensor]:
    """The k nearest rows of `train` to each row of `test`, by cosine similarity.

    Args:
        train: (M, D) features, the bank.
        test: (N, D) features.
        k: neighbours; at most the whole bank.
        max_similarities: similarities in memory at a time; 2**25 are 128 MB of float32.

    Returns:
        (N, min(k, M)) similarities in descending order, and int64 row indices into `train`.
    """
    bank = F.normalize(train.float(), dim=1).T  # (D, M)
    queries = F.normalize(test.float(), dim=1)  # (N, D)
    k = min(k, len(train))
    rows = max(1, max_similarities // len(train))
    with torch.autocast(test.device.type, enabled=False):
        parts = [(chunk @ bank).topk(k, dim=1) for chunk in torch.split(queries, rows)]  # (rows, k) each
    return torch.cat([p.values for p in parts]), torch.cat([p.indices for p in parts])


def vote(similarities: Tensor, labels: Tensor, *, num_classes: int, temperature: float = 0.07) -> Tensor:
    """Normalised votes per class; a neighbour's weight is exp(similarity / temperature).

    Args:
        similarities: (N, K) of the neighbours.
        labels: (N, K) int64 classes of the neighbours.

    Returns:
        (N, C) float32 whose rows sum to 1. The paper does not normalise; here no temperature overflows.
    """
    weights = torch.softmax(similarities.float() / temperature, dim=1)  # (N, K)
    shares = weights.new_zeros(len(weights), num_classes)
    return shares.scatter_add_(1, labels, weights)  # (N, C)
