"""SimMIM (Xie et al. 2022, arXiv:2111.09886): mask large random cells, predict their raw pixels by one linear layer.

Masked patches enter the encoder as a mask token, so that it sees the whole grid.

Formula:
    loss = mean over masked pixels of  |W f(x with mask tokens)_i - x_i|_1

    f: the encoder; W: one linear layer from a token to the pixels of its patch (section 3). With `target_window`,
    x_i is normalised by the mean and standard deviation of the pixels around it (the authors' code, `norm_targets`).

When to choose it:
    As MAE, for encoders that need the whole grid (windows, pyramids) or without a decoder. A step costs more than
    MAE's, since masked tokens are encoded too; features are best after fine-tuning.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, Tokens
from sslrun.config.errors import ConfigError
from sslrun.config.method.simmim import SimMIMConfig
from sslrun.core.batch import ImageBatch
from sslrun.losses.pixels import locally_normalized, masked_l1, masked_l1_sums
from sslrun.methods.base import Method, StepOutput, zero_through
from sslrun.nn.masking import random_cells
from sslrun.nn.patches import patchify


class SimMIM(Method):
    """Section 3."""

    batch_type = ImageBatch
    needs_tokens = Tokens.patches
    config: SimMIMConfig

    def __init__(self, config: SimMIMConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        self.side = side_in_tokens(config.mask_patch_size, encoder)
        self.mask_token = nn.Parameter(torch.randn(encoder.num_features) * 0.02)
        self.head = nn.Linear(encoder.num_features, math.prod(encoder.patch) * int(encoder.inputs["channels"]))

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """L1 on the pixels of masked patches, section 3.4."""
        patches, is_masked, prediction, pooled = self._predict(batch["image"])
        loss = masked_l1(prediction, patches, is_masked=is_masked)
        return StepOutput(loss + zero_through(pooled), embedding=pooled.detach())

    def row_losses(self, batch: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
        """Per image: sum over its masked patches, and their number; the mask depends only on the image's index."""
        patches, is_masked, prediction, _ = self._predict(batch["image"], batch["index"])
        return masked_l1_sums(prediction, patches, is_masked=is_masked)

    def _predict(self, x: Tensor, index: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        grid, ratio, window = self.encoder.grid, self.config.mask_ratio, self.config.target_window
        is_masked = random_cells(len(x), grid, side=self.side, ratio=ratio, device=x.device, index=index)  # (B, N)
        pooled, tokens = self.encoder.pooled_and_tokens(x, is_masked=is_masked, mask_token=self.mask_token)
        target = x if window is None else locally_normalized(x, window=window)
        return patchify(target, patch=self.encoder.patch), is_masked, self.head(tokens), pooled  # (B, N, P) twice


def side_in_tokens(mask_patch_size: int, encoder: Encoder) -> int:
    """Side of a masked cell in tokens.

    Raises:
        ConfigError: cells of `mask_patch_size` pixels do not tile the encoder's grid, or fewer than two fit; or the
            encoder's patches are not square.
    """
    (patch, wide), (rows, columns) = encoder.patch, encoder.grid
    if patch != wide:
        raise ConfigError(f"method=simmim masks square cells; backbone.patch_size=[{patch},{wide}] is not square")
    sides = [s for s in range(1, max(rows, columns) + 1) if not (rows % s or columns % s) and rows * columns > s * s]
    if mask_patch_size not in [s * patch for s in sides]:
        choices = ", ".join(str(s * patch) for s in sides)
        raise ConfigError(
            f"method.mask_patch_size must be a multiple of the patch size {patch} that divides images of "
            f"{rows * patch}x{columns * patch}: one of {choices}; got {mask_patch_size}"
        )
    return mask_patch_size // patch
