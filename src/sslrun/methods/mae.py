"""MAE (He et al. 2022, arXiv:2111.06377): encode a quarter of the patches, let a small decoder paint the others.

The encoder sees only the visible patches, which makes it cheap; the decoder is thrown away.

Formula:
    loss = mean over hidden patches i of  |d(f(visible), i) - (x_i - mean_i) / std_i|^2 / P

    f: the encoder; d: the decoder; x_i: the P pixels of patch i, with their own mean and deviation (section 3).

When to choose it:
    ViTs that will be fine-tuned, from images whose colours must stay as they are: it takes a crop and a flip. If left
    and right differ, add 'dataset.unsuitable=[HorizontalFlip]'. A step costs a third of a contrastive one. Frozen
    features are weak in a linear probe; expect their worth in `sslrun finetune`.
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

    The encoder's own positions stay as its backbone has them (paper: fixed sine-cosine).
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
        """Loss on hidden patches only."""
        patches, hidden, prediction, pooled = self._predict(batch["image"])
        loss = normalized_patch_mse(prediction, take(patches, hidden))
        return StepOutput(loss + zero_through(pooled), embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """By image: sum over its hidden patches, and their number; what is hidden is a function of its position."""
        patches, hidden, prediction, _ = self._predict(batch["image"], batch["index"])
        errors = normalized_patch_errors(prediction, take(patches, hidden))  # (B, M)
        return errors.sum(dim=1), errors.new_full((len(errors),), errors.shape[1])

    def _predict(self, x: Tensor, index: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        patches = patchify(x, patch=self.encoder.patch)  # (B, N, P)
        (rows, count, _), ratio = patches.shape, self.config.mask_ratio
        keep, hidden = random_tokens(rows, count, ratio=ratio, device=x.device, index=index)
        pooled, tokens = self.encoder.pooled_and_tokens(x, keep)  # (B, D), (B, K, D)
        prediction = self.decoder(tokens, at=keep, ask=hidden)  # (B, N - K, P)
        return patches, hidden, prediction, pooled
