"""CPC's loss (arXiv:1807.03748): identify the true future among other time steps of one or of all sequences."""

import torch
from torch import Tensor


def future_losses(
    predictions: Tensor,
    local: Tensor,
    *,
    step: int,
    is_valid: Tensor,
    others: Tensor | None = None,
    other_is_valid: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """-log( exp(p_t . z_{t+k}) / sum over s of exp(p_t . z_s) ), eq. 4.

    Args:
        predictions: (B, N, Z), p_t = W_k c_t.
        local: (B, N, Z), z_t.
        step: k, at least 1.
        is_valid: (B, N) bool, False on padding, which is never a future or a negative.
        others: (M, Z), the time steps s, including these; None takes those of the same sequence.
        other_is_valid: (M,) bool, False on padding.

    Returns:
        (B,) float32 sums over the time steps t whose future t + k is valid, and (B,) their counts.
    """
    rows, length = is_valid.shape
    if step >= length:
        return predictions.sum(dim=(1, 2)) * 0, is_valid.new_zeros(rows, dtype=torch.int64)
    if others is None or other_is_valid is None:
        others, other_is_valid = local, is_valid
    with torch.autocast(predictions.device.type, enabled=False):
        p, future = predictions[:, :-step].float(), local[:, step:].float()  # 2 x (B, N - k, Z)
        scores = p @ others.float().mT  # (B, N - k, N), or (B, N - k, M)
        scores = scores.masked_fill(~other_is_valid[..., None, :], float("-inf"))
        losses = scores.logsumexp(dim=2) - (p * future).sum(dim=2)  # (B, N - k)
        has_future = is_valid[:, step:]
        return (losses * has_future).sum(dim=1), has_future.sum(dim=1)
