"""An encoder with a linear head, all weights trainable."""

from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.errors import ConfigError
from sslrun.core.batch import ImageBatch
from sslrun.methods.base import Method


class FineTuned(Method):
    """The learning rate decays by `layer_decay` per block, from the head downwards (arXiv:2106.08254).

    Args:
        outputs: of the head.

    Raises:
        ConfigError: `layer_decay` for an encoder without blocks.
    """

    batch_type = ImageBatch

    def __init__(self, encoder: Encoder, *, outputs: int, layer_decay: float = 1.0) -> None:
        super().__init__(None, encoder)
        if layer_decay != 1 and len(encoder.layers()) == 1:
            raise ConfigError(
                f"layer_decay={layer_decay:g}: backbone={encoder.config.name} has no blocks to tell apart; "
                "choose layer_decay=1"
            )
        self.layer_decay = layer_decay
        self.head = nn.Linear(encoder.num_features, outputs)
        nn.init.zeros_(self.head.bias)
        nn.init.trunc_normal_(self.head.weight, std=0.01)

    def logits(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., outputs), in float32 even under autocast."""
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float())

    def param_groups(self) -> list[dict[str, Any]]:
        """Per-block learning rates, if layer_decay is below 1."""
        if self.layer_decay == 1:
            return []
        blocks = self.encoder.layers()
        scales = [self.layer_decay ** (len(blocks) - depth) for depth in range(len(blocks))]
        return [{"params": block, "lr_scale": scale} for block, scale in zip(blocks, scales, strict=True)]
