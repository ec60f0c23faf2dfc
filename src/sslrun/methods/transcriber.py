"""An encoder with a character for each moment: what fine-tuning trains on recordings with transcripts.

Connectionist temporal classification (Graves et al. 2006, ICML, "Labelling unsegmented sequence data with recurrent
neural networks").
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder, extra_inputs
from sslrun.config.errors import ConfigError
from sslrun.core.batch import NO_TARGET
from sslrun.methods.base import StepOutput
from sslrun.methods.fine_tuned import FineTuned
from sslrun.nn.padding import masked_mean

BLANK = 0
"""Output of a moment that writes nothing; characters count from 1."""


class Transcriber(FineTuned):
    """Each clip's loss is per character; clips with too few outputs for their transcript have none.

    Args:
        alphabet: characters, in the order of the targets.
        moments: of the encoder that are averaged for one output. Fewer outputs hold fewer blanks, which the loss takes
            long to leave.

    Raises:
        ConfigError: the backbone has no order of time.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        alphabet: Sequence[str],
        moments: int = 1,
        layer_decay: float = 1.0,
    ) -> None:
        if not encoder.has_moments:
            raise ConfigError(
                f"backbone={encoder.config.name} has no moments to be transcribed; choose one of sequences, e.g. "
                "backbone=cpc or wav2vec2_tiny"
            )
        super().__init__(encoder, outputs=1 + len(alphabet), layer_decay=layer_decay)
        self.alphabet, self.moments = tuple(alphabet), moments

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of a batch with `transcript`."""
        sums, counts, features = self._losses(batch)
        return StepOutput((sums / counts.clamp(min=1)).mean(), embedding=features.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """By clip: its negative log-likelihood, and its characters."""
        sums, counts, _ = self._losses(batch)
        return sums, counts

    @torch.inference_mode()
    def transcribe(self, batch: Mapping[str, Any]) -> list[str]:
        """Each clip's likeliest outputs, repeats and blanks left out (greedy decoding)."""
        logits, is_valid, _ = self._logits(batch)
        best = logits.argmax(dim=2).masked_fill(~is_valid, BLANK).cpu()  # (B, N)
        texts = []
        for row in best.tolist():
            kept = [now for before, now in zip([BLANK, *row], row, strict=False) if now not in (before, BLANK)]
            texts.append("".join(self.alphabet[i - 1] for i in kept))
        return texts

    def _losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        logits, is_valid, features = self._logits(batch)
        targets = batch["transcript"]  # (B, L)
        counts = (targets != NO_TARGET).sum(dim=1)
        with torch.autocast(logits.device.type, enabled=False):
            losses = F.ctc_loss(
                F.log_softmax(logits, dim=2).transpose(0, 1),  # (N, B, 1 + A)
                (targets + 1).clamp(min=0),
                is_valid.sum(dim=1),
                counts,
                blank=BLANK,
                reduction="none",
                zero_infinity=True,
            )  # (B,)
        return losses, counts, features

    def _logits(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        """(B, N, 1 + A) float32, (B, N) bool, False on padding, and (B, D)."""
        tokens, is_valid = self.encoder.moments(batch[self.encoder.reads], **extra_inputs(self.encoder, batch))
        features = masked_mean(tokens, is_valid)
        if self.moments > 1:
            tokens, is_valid = averaged(tokens, is_valid, count=self.moments)
        return self.logits(tokens), is_valid, features


def averaged(tokens: Tensor, is_valid: Tensor, *, count: int) -> tuple[Tensor, Tensor]:
    """(B, N, D), (B, N) -> (B, M, D), means of `count` valid neighbours each, and (B, M), where there are any."""
    missing = -tokens.shape[1] % count
    is_valid = F.pad(is_valid, (0, missing)).view(len(tokens), -1, count)  # (B, M, count)
    tokens = F.pad(tokens, (0, 0, 0, missing)).reshape(*is_valid.shape, -1)  # (B, M, count, D)
    return masked_mean(tokens, is_valid), is_valid.any(dim=2)
