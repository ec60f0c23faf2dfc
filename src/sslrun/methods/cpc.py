"""CPC (van den Oord et al. 2018, arXiv:1807.03748): identify the next time steps among all others of the clip.

A convolutional encoder gives a vector z for each time step; a GRU summarises the past in c. From c, linear predictors
score which of the clip's time steps are the next ones; the content itself is not reconstructed.

Formula:
    loss = mean over clips, steps k and time steps t of  -log( exp(z_{t+k} . W_k c_t) / sum_s exp(z_s . W_k c_t) )

    s: all time steps of the same clip (eq. 4; of the samplings in section 3.1, the one that the speaker's identity does
    not help with), or with method.negatives=batch those of all clips of the batch.

When to choose it:
    Audio and other long sequences that change over time, such as speech: it needs no augmentation. Clips must be
    several times longer than `method.steps`. Whatever is constant in a clip, such as its speaker or room, does not help
    to tell its time steps apart: for such labels use method.negatives=batch, or byol or simclr with views.
"""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Tokens, extra_inputs
from sslrun.backbones.cpc import CPCEncoder
from sslrun.config.method.cpc import CPCConfig, Negatives
from sslrun.core import dist
from sslrun.core.batch import SeriesBatch, WaveBatch
from sslrun.losses.future import future_losses
from sslrun.methods.base import Method, StepOutput
from sslrun.nn.padding import masked_mean


class CPC(Method):
    """Section 2. All clips have equal weight, whatever their length."""

    batch_type = SeriesBatch
    also_reads = (WaveBatch,)
    needs_encoder = CPCEncoder
    needs_tokens = Tokens.timesteps
    config: CPCConfig
    encoder: CPCEncoder

    def __init__(self, config: CPCConfig, encoder: CPCEncoder) -> None:
        super().__init__(config, encoder)
        self.predictors = nn.ModuleList(
            nn.Linear(encoder.num_features, encoder.local_dim, bias=False) for _ in range(config.steps)
        )

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Mean over clips of each clip's mean."""
        sums, counts, embedding = self._losses(batch)
        loss = (sums / counts.clamp(min=1)).mean()
        return StepOutput(loss, embedding=embedding.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor] | None:
        """Per clip: sum over time steps and steps ahead, and their number; None with negatives from other clips."""
        if self.config.negatives is Negatives.batch:
            return None
        sums, counts, _ = self._losses(batch)
        return sums, counts

    def _losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        encoder = self.encoder
        local, context, is_valid = encoder.local_and_context(batch[encoder.reads], **extra_inputs(encoder, batch))
        predicted = enumerate((predict(context) for predict in self.predictors), start=1)
        if self.config.negatives is Negatives.batch:
            others, other_is_valid = of_all_ranks(local, is_valid)
        else:
            others, other_is_valid = None, None
        losses = [
            future_losses(p, local, step=k, is_valid=is_valid, others=others, other_is_valid=other_is_valid)
            for k, p in predicted
        ]
        sums, counts = (torch.stack(parts).sum(dim=0) for parts in zip(*losses, strict=True))
        return sums, counts, masked_mean(context, is_valid)


def of_all_ranks(local: Tensor, is_valid: Tensor) -> tuple[Tensor, Tensor]:
    """Time steps (B, N, Z) and (B, N) bool, False on padding, -> (M, Z) and (M,); N may differ between ranks."""
    more = dist.max_over_ranks(local.shape[1], device=local.device) - local.shape[1]
    local, is_valid = F.pad(local, (0, 0, 0, more)), F.pad(is_valid, (0, more))
    return dist.gather(local).flatten(0, 1), dist.gather(is_valid).flatten()
