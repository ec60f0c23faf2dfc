"""Which moments of a sequence are hidden: spans that begin at random."""

import torch
from torch import Tensor


def hide_spans(drawn: Tensor, lengths: Tensor, *, share: float, span: int, at_least: int) -> Tensor:
    """Spans of `span` moments that begin at a `share` of them and may overlap (arXiv:2006.11477, section 3.1).

    Sequences of less than two spans have spans of half their length, so that something stays visible.

    Args:
        drawn: (B, N) random numbers; spans begin at the smallest.
        lengths: (B,) int64 moments that are no padding.
        share: of the moments, at which spans begin.
        span: moments.
        at_least: spans of a sequence, if it has room for so many beginnings.

    Returns:
        is_masked: (B, N) bool.
    """
    spans = torch.minimum(lengths // 2, torch.full_like(lengths, span))  # (B,)
    beginnings = torch.where(spans > 0, lengths - spans + 1, 0)
    count = torch.minimum((share * lengths).round().long().clamp(min=at_least), beginnings)
    moments = torch.arange(drawn.shape[1], device=drawn.device)
    rank = drawn.masked_fill(moments >= beginnings[:, None], torch.inf).argsort(dim=1).argsort(dim=1)
    begun = (rank < count[:, None]).long().cumsum(dim=1)  # (B, N) spans that have begun by then
    before = moments - spans[:, None]
    ended = torch.where(before >= 0, begun.gather(1, before.clamp(min=0)), 0)
    return (begun > ended) & (moments < lengths[:, None])
