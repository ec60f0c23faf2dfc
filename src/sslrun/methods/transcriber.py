"""An encoder with a linear layer from time steps to characters, fine-tuned on recordings with transcripts.

Trained by connectionist temporal classification (Graves et al. 2006, ICML, "Labelling unsegmented sequence data with
recurrent neural networks").
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
"""Index of the blank; characters start at 1."""


class Transcriber(FineTuned):
    """CTC loss per character; clips with too few outputs for their transcript have no loss.

    Args:
        alphabet: characters, in the order of the targets.
        timesteps_per_output: time steps of the encoder averaged into one output. Fewer outputs mean fewer blanks, and
            training takes less long to get past predicting only blanks.

    Raises:
        ConfigError: the backbone has no time steps.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        alphabet: Sequence[str],
        timesteps_per_output: int = 1,
        layer_decay: float = 1.0,
    ) -> None:
        if not encoder.has_timesteps:
            raise ConfigError(
                f"backbone={encoder.config.name} has no time steps to transcribe; choose a sequence backbone, e.g. "
                "backbone=cpc or wav2vec2_tiny"
            )
        super().__init__(encoder, outputs=1 + len(alphabet), layer_decay=layer_decay)
        self.alphabet, self.timesteps_per_output = tuple(alphabet), timesteps_per_output

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of a batch with `transcript`."""
        sums, counts, features = self._losses(batch)
        return StepOutput((sums / counts.clamp(min=1)).mean(), embedding=features.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per clip: its negative log-likelihood and its number of characters."""
        sums, counts, _ = self._losses(batch)
        return sums, counts

    @torch.inference_mode()
    def transcribe(self, batch: Mapping[str, Any]) -> list[str]:
        """Greedy decoding: each clip's likeliest outputs without repeats and blanks."""
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
        tokens, is_valid = self.encoder.timesteps(batch[self.encoder.reads], **extra_inputs(self.encoder, batch))
        features = masked_mean(tokens, is_valid)
        if self.timesteps_per_output > 1:
            tokens, is_valid = average_groups(tokens, is_valid, size=self.timesteps_per_output)
        return self.logits(tokens), is_valid, features


def average_groups(tokens: Tensor, is_valid: Tensor, *, size: int) -> tuple[Tensor, Tensor]:
    """Means over groups of `size` time steps: (B, N, D), (B, N) -> (B, M, D), (B, M), False if all is padding."""
    missing = -tokens.shape[1] % size
    is_valid = F.pad(is_valid, (0, missing)).view(len(tokens), -1, size)  # (B, M, size)
    tokens = F.pad(tokens, (0, 0, 0, missing)).reshape(*is_valid.shape, -1)  # (B, M, size, D)
    return masked_mean(tokens, is_valid), is_valid.any(dim=2)
