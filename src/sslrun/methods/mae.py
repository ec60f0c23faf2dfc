"""MAE (He et al. 2022, arXiv:2111.06377): encode a quarter of the patches, reconstruct the rest with a small decoder.

The encoder sees only the visible patches, which makes it cheap; the decoder is discarded after pretraining.

Formula:
    loss = mean over masked patches i of  |d(f(visible), i) - (x_i - mean_i) / std_i|^2 / P

    f: the encoder; d: the decoder; x_i: the P pixels of patch i, with their own mean and deviation (section 3).

When to choose it:
    ViTs that will be fine-tuned, on images whose colours matter: it only crops and flips. If left and right differ, add
    'dataset.unsuitable=[HorizontalFlip]'. A step costs a third of a contrastive one. Frozen features are weak in a
    linear probe; judge it by `sslrun finetune`.
"""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.method.mae import MAEConfig
from sslrun.core.batch import ImageBatch
from sslrun.losses.pixels import normalized_patch_errors, normalized_patch_mse
from sslrun.methods.base import Method, StepOutput, zero_through
from sslrun.nn.masking import random_tokens, take
from sslrun.nn.patches import patchify
from sslrun.nn.predictor import TokenPredictor


class MAE(Method):
    """Section 3, with only patch tokens in the decoder (authors' code: the class token too).

    Position embeddings of the encoder are the backbone's own (paper: fixed sine-cosine).
    """

    batch_type = ImageBatch
    needs_tokens = Tokens.patches
    config: MAEConfig

    def __init__(self, config: MAEConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.decoder = TokenPredictor(
            encoder.num_features,
            math.prod(encoder.patch) * int(encoder.inputs["channels"]),
            grid=encoder.grid,
            width=config.decoder_dim,
            depth=config.decoder_depth,
            heads=config.decoder_heads,
        )

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss on masked patches only."""
        patches, masked, prediction, pooled = self._predict(batch["image"])
        loss = normalized_patch_mse(prediction, take(patches, masked))
        return StepOutput(loss + zero_through(pooled), embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per image: sum over its masked patches, and their number; the mask depends only on the image's index."""
        patches, masked, prediction, _ = self._predict(batch["image"], batch["index"])
        errors = normalized_patch_errors(prediction, take(patches, masked))  # (B, M)
        return errors.sum(dim=1), errors.new_full((len(errors),), errors.shape[1])

    def _predict(self, x: Tensor, index: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        patches = patchify(x, patch=self.encoder.patch)  # (B, N, P)
        (rows, count, _), ratio = patches.shape, self.config.mask_ratio
        keep, masked = random_tokens(rows, count, ratio=ratio, device=x.device, index=index)
        pooled, tokens = self.encoder.pooled_and_tokens(x, keep)  # (B, D), (B, K, D)
        prediction = self.decoder(tokens, at=keep, predict_at=masked)  # (B, N - K, P)
        return patches, masked, prediction, pooled
