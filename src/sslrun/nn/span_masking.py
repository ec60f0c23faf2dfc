"""Random spans of masked time steps."""

import torch
from torch import Tensor


def mask_spans(drawn: Tensor, lengths: Tensor, *, share: float, span: int, at_least: int) -> Tensor:
    """Mask spans of `span` time steps that start at a `share` of them and may overlap (arXiv:2006.11477, section 3.1).

    In sequences shorter than two spans, a span is half the sequence, so that something stays visible.

    Args:
        drawn: (B, N) random numbers; spans start at the smallest.
        lengths: (B,) int64, time steps without padding.
        share: of the time steps, where spans start.
        span: length in time steps.
        at_least: smallest number of spans per sequence, if that many starts fit.

    Returns:
        is_masked: (B, N) bool.
    """
    spans = torch.minimum(lengths // 2, torch.full_like(lengths, span))  # (B,)
    starts = torch.where(spans > 0, lengths - spans + 1, 0)
    count = torch.minimum((share * lengths).round().long().clamp(min=at_least), starts)
    steps = torch.arange(drawn.shape[1], device=drawn.device)
    rank = drawn.masked_fill(steps >= starts[:, None], torch.inf).argsort(dim=1).argsort(dim=1)
    started = (rank < count[:, None]).long().cumsum(dim=1)  # (B, N) spans started by then
    before = steps - spans[:, None]
    ended = torch.where(before >= 0, started.gather(1, before.clamp(min=0)), 0)
    return (started > ended) & (steps < lengths[:, None])
