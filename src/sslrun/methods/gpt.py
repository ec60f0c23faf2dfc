"""GPT (Radford et al. 2018): predict each token from the ones before it.

Texts are concatenated into one stream, with an end-of-text token after each, and cut into blocks.

Formula:
    loss = mean over tokens i of  -log softmax(E h_i)_{x_(i+1)}

    h: the causal encoder's outputs; x: the stream; E: the encoder's token embedding (tied weights, as in the paper).

When to choose it:
    Text generation (`sslrun sample`), scoring in bits per character, and classification with few labels of data read
    from left to right, such as logs. For classification alone bert is mostly better at the same size.
"""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor

from sslrun.backbones.base import Encoder, Tokens, extra_inputs
from sslrun.core.batch import NO_TARGET, BlocksBatch
from sslrun.losses.token_prediction import mean_token_loss, target_count, token_losses
from sslrun.methods.base import Method, StepOutput


class GPT(Method):
    """Section 3.1; also of a Llama, whose output the paper does not tie."""

    batch_type = BlocksBatch
    needs_tokens = Tokens.words
    needs_causal = True
    is_likelihood = True

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of every next token."""
        logits, pooled = self._predict(batch)
        targets = batch["targets"].flatten()  # (B L): blocks are whole, ranks have equal numbers
        loss = mean_token_loss(logits.flatten(0, 1), targets, count=target_count(targets))
        return StepOutput(loss, embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """By block: sum over its tokens, and their number."""
        logits, _ = self._predict(batch)
        losses = token_losses(logits.flatten(0, 1), batch["targets"].flatten()).view(batch["targets"].shape)
        return losses.sum(dim=1), (batch["targets"] != NO_TARGET).sum(dim=1)

    def logits(self, input_ids: Tensor) -> Tensor:
        """(B, L) -> (B, L, V) of the token after each."""
        return next_token_logits(self.encoder, self.encoder.tokens(input_ids))

    def _predict(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        pooled, tokens = self.encoder.pooled_and_tokens(batch["input_ids"], **extra_inputs(self.encoder, batch))
        return next_token_logits(self.encoder, tokens), pooled


def next_token_logits(encoder: Encoder, tokens: Tensor) -> Tensor:
    """(B, L, D) -> (B, L, V) by the tied embedding."""
    return F.linear(tokens, encoder.token_embedding())
