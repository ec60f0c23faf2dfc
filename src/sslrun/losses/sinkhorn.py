"""Balanced soft assignments by Sinkhorn-Knopp."""

import torch
from torch import Tensor


@torch.no_grad()
def sinkhorn(scores: Tensor, *, epsilon: float, iterations: int) -> Tensor:
    """Soft assignments that use all columns equally (Caron et al. 2020, arXiv:2006.09882, eq. 3 and 5).

    Starts from exp(scores / epsilon); each iteration scales columns to equal sums, then rows to 1. In the log domain:
    no score overflows, and a row far below the others does not vanish.

    Args:
        scores: (N, K), rows of all ranks: column sums are over the whole batch.
        epsilon: of the entropy, above 0; a small one gives hard assignments.
        iterations: at least 1; 3 in the paper.

    Returns:
        (N, K) float32 without gradient; rows sum to 1, columns nearly to N / K.
    """
    assert iterations >= 1
    log_q = scores.float() / epsilon  # (N, K)
    for _ in range(iterations):
        log_q -= log_q.logsumexp(dim=0, keepdim=True)
        log_q -= log_q.logsumexp(dim=1, keepdim=True)
    return log_q.exp()
