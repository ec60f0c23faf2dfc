"""BERT (Devlin et al. 2019, arXiv:1810.04805): mask some tokens and predict them from the context on both sides.

The augmentation decides what is masked: single tokens, whole words or spans, with or without shuffled sentences. Of the
paper's two tasks this is the first; later work found the second, next-sentence prediction, useless (arXiv:1907.11692).

Formula:
    loss = mean over masked tokens i of  -log softmax(E LN(gelu(W h_i + a)) + b)_{x_i}

    h: the encoder's outputs for the corrupted text; x: the text; E: the encoder's token embedding (tied weights).

When to choose it:
    Texts to classify, cluster or search, with few labels. To generate text choose gpt.
"""

from collections.abc import Mapping
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens, extra_inputs
from sslrun.config.method.bert import BERTConfig
from sslrun.core.batch import NO_TARGET, TokensBatch
from sslrun.core.dist import gather
from sslrun.losses.token_prediction import mean_token_loss, target_count, token_losses
from sslrun.methods.base import Method, StepOutput


class BERT(Method):
    """Section 3.1, task 1; only masked tokens go through the head."""

    batch_type = TokensBatch
    needs_tokens = Tokens.words
    needs_causal = False
    is_likelihood = True
    config: BERTConfig

    def __init__(self, config: BERTConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.transform = nn.Linear(encoder.num_features, encoder.num_features)
        self.norm = nn.LayerNorm(encoder.num_features, eps=1e-12)
        self.bias = nn.Parameter(self.transform.weight.new_zeros(int(encoder.inputs["vocab_size"])))
        nn.init.normal_(self.transform.weight, std=0.02)
        nn.init.zeros_(self.transform.bias)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss on masked tokens only."""
        logits, targets, pooled = self._predict(batch)
        accuracy = (logits.argmax(dim=1) == targets).float().mean()
        count = gather(target_count(targets)[None]).mean()  # texts have unequal numbers, and so have ranks
        loss = mean_token_loss(logits, targets, count=count)
        return StepOutput(loss, embedding=pooled.detach(), logs={"token_top1": accuracy.detach()})

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per text: sum over its masked tokens, and their number."""
        logits, targets, _ = self._predict(batch)
        is_target = batch["targets"] != NO_TARGET  # (B, L)
        losses = logits.new_zeros(is_target.shape, dtype=logits.float().dtype)
        losses[is_target] = token_losses(logits, targets)
        return losses.sum(dim=1), is_target.sum(dim=1)

    def _predict(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        is_target = batch["targets"] != NO_TARGET  # (B, L)
        pooled, tokens = self.encoder.pooled_and_tokens(batch["input_ids"], **extra_inputs(self.encoder, batch))
        hidden = self.norm(F.gelu(self.transform(tokens[is_target])))  # (M, D)
        table = self.encoder.token_embedding()[: len(self.bias)]  # a checkpoint's may have rows to spare
        return F.linear(hidden, table, self.bias), batch["targets"][is_target], pooled
