"""CPC's loss: tell the true future of a sequence from other moments, of it or of all (arXiv:1807.03748)."""

import torch
import torch.nn.functional as F
from torch import Tensor


def future_losses(predictions: Tensor, local: Tensor, *, step: int, is_valid: Tensor) -> tuple[Tensor, Tensor]:
    """-log( exp(p_t . z_{t+k}) / sum over s of exp(p_t . z_s) ), eq. 4, with all moments s of the same sequence.

    Args:
        predictions: (B, N, Z), p_t = W_k c_t.
        local: (B, N, Z), z_t.
        step: k, at least 1.
        is_valid: (B, N) bool, False on padding, which is neither future nor negative.

    Returns:
        (B,) float32 sums over the moments t whose future t + k is valid, and (B,) their numbers.
    """
    rows, moments = is_valid.shape
    if step >= moments:
        return predictions.sum(dim=(1, 2)) * 0, is_valid.new_zeros(rows, dtype=torch.int64)
    with torch.autocast(predictions.device.type, enabled=False):
        scores = predictions[:, :-step].float() @ local.float().transpose(1, 2)  # (B, N - k, N)
        scores = scores.masked_fill(~is_valid[:, None], float("-inf"))
        has_future = is_valid[:, step:]  # (B, N - k)
        future = torch.arange(step, moments, device=scores.device).expand(rows, -1)  # (B, N - k)
        # Moments without future ask for a valid moment, so that no infinity enters a gradient.
        future = torch.where(has_future, future, 0)
        losses = F.cross_entropy(scores.flatten(0, 1), future.flatten(), reduction="none").view(rows, -1)
        return (losses * has_future).sum(dim=1), has_future.sum(dim=1)


def future_losses_among(
    predictions: Tensor, local: Tensor, *, step: int, is_valid: Tensor, others: Tensor, other_is_valid: Tensor
) -> tuple[Tensor, Tensor]:
    """As `future_losses`, with the moments of many sequences to choose from.

    Args:
        predictions, local, step, is_valid: as there.
        others: (M, Z), z of all sequences, these among them.
        other_is_valid: (M,) bool, False on padding.

    Returns:
        (B,) float32 sums over the moments t whose future t + k is valid, and (B,) their numbers.
    """
    rows, moments = is_valid.shape
    if step >= moments:
        return predictions.sum(dim=(1, 2)) * 0, is_valid.new_zeros(rows, dtype=torch.int64)
    with torch.autocast(predictions.device.type, enabled=False):
        asked = predictions[:, :-step].float()  # (B, N - k, Z)
        scores = (asked @ others.float().T).masked_fill(~other_is_valid, float("-inf"))  # (B, N - k, M)
        losses = scores.logsumexp(dim=2) - (asked * local[:, step:].float()).sum(dim=2)  # (B, N - k)
        has_future = is_valid[:, step:]
        return (losses * has_future).sum(dim=1), has_future.sum(dim=1)
