"""InfoNCE: identify the positive among negatives (van den Oord et al. 2018, arXiv:1807.03748)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def info_nce(
    queries: Tensor,
    positives: Tensor,
    negatives: Tensor,
    *,
    temperature: float,
    is_excluded: Tensor | None = None,
) -> Tensor:
    """-log(exp(q.k+/tau) / (exp(q.k+/tau) + sum over k- of exp(q.k-/tau))), mean over queries.

    MoCo's eq. 1 (He et al. 2020, arXiv:1911.05722), where the negatives are a queue.

    Args:
        queries: (B, D). Any norm, like all rows; cosines are compared.
        positives: (B, D), one per query.
        negatives: (N, D), shared by all queries.
        temperature: tau, above 0.
        is_excluded: (B, N) bool, True where a row of `negatives` is no negative for a query.

    Returns:
        () float32.
    """
    with torch.autocast(queries.device.type, enabled=False):
        q, k, n = (F.normalize(z.float(), dim=1) for z in (queries, positives, negatives))
        to_negatives = q @ n.T  # (B, N)
        if is_excluded is not None:
            to_negatives = to_negatives.masked_fill(is_excluded, float("-inf"))
        logits = torch.cat([(q * k).sum(dim=1, keepdim=True), to_negatives], dim=1) / temperature  # (B, 1 + N)
        return F.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.int64))


def info_nce_in_batch(
    queries: Tensor,
    positives: Tensor,
    *,
    temperature: float,
    all_positives: Tensor | None = None,
    offset: int = 0,
) -> Tensor:
    """`info_nce` whose negatives are the positives of the other queries (algorithm 1 of arXiv:2104.02057).

    Args:
        queries, positives: (B, D) of this rank, row by row.
        temperature: tau, above 0.
        all_positives: (W*B, D), `positives` of all ranks in rank order; None means this rank is alone.
        offset: row of `all_positives` at which this rank's begin.

    Returns:
        () float32. Its mean over all ranks, and that of its gradient, equal those of one process with all rows.
    """
    everyone = positives if all_positives is None else all_positives
    is_self = self_mask(len(queries), len(everyone), offset=offset, device=queries.device)
    return info_nce(queries, positives, everyone, temperature=temperature, is_excluded=is_self)


def self_mask(rows: int, all_rows: int, *, offset: int, device: torch.device) -> Tensor:
    """(rows, all_rows) bool: True where row i is itself, row i + offset of all."""
    return F.one_hot(torch.arange(rows, device=device) + offset, all_rows).bool()
