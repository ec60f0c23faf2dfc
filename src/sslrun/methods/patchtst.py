"""PatchTST (Nie et al. 2023, arXiv:2211.14730): mask patches of a series, reconstruct them from the others.

Each channel is cut into patches and normalised by its own mean and standard deviation. These come from the visible
patches only: those of the whole series would leak the masked values.

Formula:
    loss = mean over masked values of  (x_i - (W h_i + b))^2

    x: masked patches of the normalised channel; h: the transformer's outputs, where masked patches enter as zero.

When to choose it:
    Long series with structure in time, for forecasting and anomaly detection (`sslrun anomalies`). It encodes each
    channel separately; if channels matter only together, or series are short, choose ts2vec.
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
    needs_tokens = Tokens.timesteps
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
        """Loss on masked values only; their number differs between series and between ranks."""
        series = batch["series"]  # (B, T, C)
        rows, shape = len(series), (series.shape[2], self.encoder.max_patches)
        drawn = torch.rand(rows * dist.world_size(), *shape, device=series.device)
        errors, counted, pooled = self._errors(series, dist.local_rows(drawn, rows))
        count = dist.gather(counted.sum().float()[None]).mean().clamp(min=1)
        return StepOutput(errors.sum() / count, embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per series: sum over its masked values, and their number; the mask depends only on the series' index."""
        series = batch["series"]
        shape = (series.shape[2], self.encoder.max_patches)
        drawn = [torch.rand(shape, generator=torch.Generator().manual_seed(int(i))) for i in batch["index"]]
        errors, counted, _ = self._errors(series, torch.stack(drawn).to(series.device))
        return errors.sum(dim=(1, 2, 3)), counted.sum(dim=(1, 2, 3))

    @torch.no_grad()
    def anomaly_scores(self, series: Tensor) -> Tensor:
        """(B, T, C) -> (B, T): squared error of each timestamp, its patch masked in all channels and the rest visible.

        In units of the visible values' variance; averaged over channels, NaN if no channel has a value.
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
        """(B, C, N, P) squared errors, the same shape whether each is masked and known, and (B, D) pooled outputs."""
        is_known = self.encoder.patches(series).is_known
        is_masked = mask_patches(drawn[:, :, : is_known.shape[2]], is_known.any(dim=3), ratio=self.config.mask_ratio)
        patches = self.encoder.patches(series, is_masked)
        tokens = self.encoder.encode(patches, is_masked)  # (B, C, N, W)
        counted = is_masked[..., None] & is_known
        errors = (self.head(tokens).float() - patches.values).square()
        return errors.masked_fill(~counted, 0.0), counted, self.encoder.pool(tokens, patches)

    def _predict(self, patches: Patches, is_masked: Tensor) -> Tensor:
        return self.head(self.encoder.encode(patches, is_masked)).float()


def mask_patches(drawn: Tensor, is_present: Tensor, *, ratio: float) -> Tensor:
    """(B, C, N) bool: mask round(ratio x number) of a channel's present patches, at least one, and leave at least one.

    Args:
        drawn: (B, C, N) random numbers; patches with the smallest are masked.
        is_present: (B, C, N) bool, False for patches without values.
    """
    number = is_present.sum(dim=2, keepdim=True)  # (B, C, 1)
    count = (ratio * number).round().long().clamp(min=1)
    count = torch.minimum(count, number - 1).clamp(min=0)
    rank = drawn.masked_fill(~is_present, torch.inf).argsort(dim=2).argsort(dim=2)
    return (rank < count) & is_present
