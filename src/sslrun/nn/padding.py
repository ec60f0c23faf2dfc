"""Padded batches of sequences: masks of padding, and means without it."""

from torch import Tensor


def not_padding(series: Tensor) -> Tensor:
    """(B, T, C) -> (B, T) bool: True up to the last timestamp with a value, and always at the first."""
    has_value = (~series.isnan().all(dim=2)).int()  # (B, T)
    is_valid = has_value.flip(1).cummax(dim=1).values.flip(1).bool()
    is_valid[:, 0] = True
    return is_valid


def masked_mean(tokens: Tensor, is_valid: Tensor) -> Tensor:
    """(…, N, D) -> (…, D): mean over positions where `is_valid` (…, N) is True; 0 if there are none."""
    weight = is_valid[..., None].to(tokens.dtype)  # (…, N, 1)
    return (tokens * weight).sum(dim=-2) / weight.sum(dim=-2).clamp(min=1)
