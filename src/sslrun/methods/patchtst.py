"""PatchTST (Nie et al. 2023, arXiv:2211.14730): hide patches of a series, guess them from the rest of its channel.

Each channel is cut into patches and normalised by its own mean and standard deviation. These are taken of the visible
patches only: those of the whole series would give away what is hidden.

Formula:
    loss = mean over hidden values of  (x_i - (W h_i + b))^2

    x: hidden patches of the normalised channel; h: the transformer's tokens, in which hidden patches are zero.

When to choose it:
    Long series with structure in time, for forecasting and for finding what does not fit (`anomaly_scores`). It looks
    at each channel by itself; if channels mean something only together, or series are short, choose ts2vec.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Tokens
from sslrun.backbones.patchtst import Patches, PatchTSTEncoder
from sslrun.config.errors import ConfigError
from sslrun.config.method.patchtst import PatchTSTConfig
from sslrun.core import dist
from sslrun.core.batch import SeriesBatch
from sslrun.methods.base import Method, StepOutput


class PatchTST(Method):
    """Section 3.2."""

    batch_type = SeriesBatch
    needs_encoder = PatchTSTEncoder
    needs_tokens = Tokens.moments
    scores_anomalies = True
    config: PatchTSTConfig
    encoder: PatchTSTEncoder

    def __init__(self, config: PatchTSTConfig, encoder: PatchTSTEncoder) -> None:
        super().__init__(config, encoder)
        if encoder.max_patches < 2:
            raise ConfigError(
                f"method=patchtst needs at least two patches; backbone.patch_size={encoder.patch_size} is too large "
                f"for series of {encoder.inputs['max_length']} timestamps"
            )
        self.head = nn.Sequential(nn.Dropout(config.dropout), nn.Linear(encoder.width, encoder.patch_size))

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss on hidden values only; series have unequal numbers of them, and so have ranks."""
        series = batch["series"]  # (B, T, C)
        rows, shape = len(series), (series.shape[2], self.encoder.max_patches)
        drawn = torch.rand(rows * dist.world_size(), *shape, device=series.device)
        errors, counted, pooled = self._errors(series, dist.own(drawn, rows))
        count = dist.gather(counted.sum().float()[None]).mean().clamp(min=1)
        return StepOutput(errors.sum() / count, embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """By series: sum over its hidden values, and their number; what is hidden is a function of its position."""
        series = batch["series"]
        shape = (series.shape[2], self.encoder.max_patches)
        drawn = [torch.rand(shape, generator=torch.Generator().manual_seed(int(i))) for i in batch["index"]]
        errors, counted, _ = self._errors(series, torch.stack(drawn).to(series.device))
        return errors.sum(dim=(1, 2, 3)), counted.sum(dim=(1, 2, 3))

    @torch.no_grad()
    def anomaly_scores(self, series: Tensor) -> Tensor:
        """(B, T) of (B, T, C): squared error of each timestamp, its patch hidden in all channels, the rest visible.

        In units of the variance of what is visible; averaged over channels, NaN if no channel has a value.
        """
        patches = self.encoder.patches(series)
        b, c, n, p = patches.values.shape
        errors = torch.empty(b, c, n, p, device=series.device)
        for i in range(n):
            is_masked = torch.zeros(b, c, n, dtype=torch.bool, device=series.device)
            is_masked[..., i] = True
            seen = self.encoder.patches(series, is_masked)
            errors[:, :, i] = (self._predict(seen, is_masked) - seen.values)[:, :, i].square()
        by_time = errors.masked_fill(~patches.is_known, torch.nan).flatten(2).nanmean(dim=1)  # (B, N P)
        return by_time[:, : series.shape[1]]

    def _errors(self, series: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, C, N, P) squared errors, whether each counts, and (B, D) what the encoder pools."""
        is_known = self.encoder.patches(series).is_known
        is_masked = hide(drawn[:, :, : is_known.shape[2]], is_known.any(dim=3), ratio=self.config.mask_ratio)
        patches = self.encoder.patches(series, is_masked)
        tokens = self.encoder.encode(patches, is_masked)  # (B, C, N, W)
        counted = is_masked[..., None] & is_known
        errors = (self.head(tokens).float() - patches.values).square()
        return errors.masked_fill(~counted, 0.0), counted, self.encoder.pool(tokens, patches)

    def _predict(self, patches: Patches, is_masked: Tensor) -> Tensor:
        return self.head(self.encoder.encode(patches, is_masked)).float()


def hide(drawn: Tensor, is_there: Tensor, *, ratio: float) -> Tensor:
    """(B, C, N) bool: of each channel's patches that are there, round(ratio x their number), one at least, one left.

    Args:
        drawn: (B, C, N) random numbers; the smallest are hidden.
        is_there: (B, C, N) bool.
    """
    number = is_there.sum(dim=2, keepdim=True)  # (B, C, 1)
    count = (ratio * number).round().long().clamp(min=1)
    count = torch.minimum(count, number - 1).clamp(min=0)
    rank = drawn.masked_fill(~is_there, torch.inf).argsort(dim=2).argsort(dim=2)
    return (rank < count) & is_there
