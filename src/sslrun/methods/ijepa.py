"""I-JEPA (Assran et al. 2023, arXiv:2301.08243): predict a momentum encoder's tokens for masked blocks from context.

Targets are tokens instead of pixels, and the masked blocks are large, so that the features are semantic without
augmentations.

Formula:
    loss = mean over blocks b and their patches i of  smooth_l1(g(f(x_context), i), LN(f'(x)_i))

    f: the encoder, on the context's patches only; f': the target encoder, on all patches; g: the predictor, given
    position i.

When to choose it:
    ViTs, where augmentations might change the meaning (medical or scientific images): it only crops. The encoder sees
    part of the patches, so a step is cheap; small images have few blocks to predict.
"""

from collections.abc import Mapping
from typing import Any

import torch

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.method.ijepa import IJEPAConfig
from sslrun.core.batch import ImageBatch
from sslrun.core.schedules import linear
from sslrun.losses.tokens import normalized_smooth_l1
from sslrun.methods.base import Method, StepOutput, zero_through
from sslrun.nn.ema import ema_update, frozen_copy
from sslrun.nn.masking import context_and_targets, take
from sslrun.nn.predictor import TokenPredictor


class IJEPA(Method):
    """Section 3. Position embeddings are the backbone's own (authors' code: fixed sine-cosine)."""

    batch_type = ImageBatch
    needs_tokens = Tokens.patches
    config: IJEPAConfig

    def __init__(self, config: IJEPAConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.target_encoder = frozen_copy(encoder)
        self.predictor = TokenPredictor(
            encoder.num_features,
            encoder.num_features,
            grid=encoder.grid,
            width=config.predictor_dim,
            depth=config.predictor_depth,
            heads=config.predictor_heads,
        )

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Each target block is predicted separately from the same context."""
        x, config = batch["image"], self.config
        keep, targets = context_and_targets(
            len(x),
            self.encoder.grid,
            targets=config.targets,
            target_scale=(config.target_scale[0], config.target_scale[1]),
            target_aspect=(config.target_aspect[0], config.target_aspect[1]),
            context_scale=(config.context_scale[0], config.context_scale[1]),
            min_context=config.min_context,
            device=x.device,
        )  # (B, K), (B, M, Q)
        with torch.no_grad():
            embedding, seen = self.target_encoder.pooled_and_tokens(x)  # (B, D), (B, N, D)
            target = take(seen, targets.flatten(1))  # (B, M*Q, D)
        pooled, context = self.encoder.pooled_and_tokens(x, keep)  # (B, D), (B, K, D)
        context, at = (t.repeat_interleave(config.targets, dim=0) for t in (context, keep))  # B*M rows
        prediction = self.predictor(context, at=at, predict_at=targets.flatten(0, 1))  # (B*M, Q, D)
        loss = normalized_smooth_l1(prediction, target.reshape(prediction.shape))
        return StepOutput(loss + zero_through(pooled), embedding=embedding)

    def after_step(self, progress: float) -> None:
        """Update the target; the decay rises linearly to 1 (appendix A.1)."""
        ema_update(self.target_encoder, self.encoder, decay=linear(self.config.decay_start, 1.0, progress))

    def encoders(self) -> dict[str, Encoder]:
        """The target encoder, which the paper evaluates (appendix A.1)."""
        return {"encoder": self.target_encoder}
