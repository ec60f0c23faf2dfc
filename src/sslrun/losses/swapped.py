"""Swapped prediction of cluster assignments, as SwAV does it."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def swapped_prediction(scores: Sequence[Tensor], assignments: Sequence[Tensor], *, temperature: float) -> Tensor:
    """Cross-entropy of each assignment with every other view's scores (Caron et al. 2020, arXiv:2006.09882, eq. 2, 6).

    Mean over rows, over the other views and over the assigned ones.

    Args:
        scores: V tensors of (B, K), cosines of views and prototypes.
        assignments: (B, K) of the first of these views, rows sum to 1; no gradient flows into them.
        temperature: tau, above 0.

    Returns:
        () float32.
    """
    with torch.autocast(scores[0].device.type, enabled=False):
        log_p = [F.log_softmax(s.float() / temperature, dim=1) for s in scores]  # V x (B, K)
        terms = [
            -(q.detach() * log_p[v]).sum(dim=1).mean()
            for i, q in enumerate(assignments)
            for v in range(len(scores))
            if v != i
        ]
        return torch.stack(terms).mean()
