"""An encoder with a linear head, of which all weights are trained."""

from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder
from sslrun.config.errors import ConfigError
from sslrun.core.batch import ImageBatch
from sslrun.methods.base import Method


class FineTuned(Method):
    """The rate of each block falls from the head down by `layer_decay` (arXiv:2106.08254).

    Args:
        outputs: of the head.
        weight_decay: of the blocks' own groups, where `layer_decay` is below 1.

    Raises:
        ConfigError: `layer_decay` for an encoder without blocks.
    """

    batch_type = ImageBatch

    def __init__(self, encoder: Encoder, *, outputs: int, layer_decay: float = 1.0, weight_decay: float = 0.0) -> None:
        super().__init__()
        if layer_decay != 1 and len(encoder.layers()) == 1:
            raise ConfigError(
                f"layer_decay={layer_decay:g}: backbone={encoder.config.name} has no blocks that are told apart; "
                "choose layer_decay=1"
            )
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, outputs)
        nn.init.zeros_(self.head.bias)
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        self.weight_decay, self.layer_decay = weight_decay, layer_decay

    def logits(self, features: Tensor) -> Tensor:
        """(..., D) -> (..., outputs), in float32 whatever autocast says."""
        with torch.autocast(features.device.type, enabled=False):
            return self.head(features.float())

    def param_groups(self) -> list[dict[str, Any]]:
        """Blocks with their own rates, where layer_decay is below 1."""
        if self.layer_decay == 1:
            return []
        blocks = self.encoder.layers()
        groups = []
        for depth, block in enumerate(blocks):
            scale = self.layer_decay ** (len(blocks) - depth)
            weights = [p for p in block if p.requires_grad and p.ndim > 1]
            vectors = [p for p in block if p.requires_grad and p.ndim <= 1]
            groups.append({"params": weights, "lr_scale": scale, "weight_decay": self.weight_decay})
            groups.append({"params": vectors, "lr_scale": scale, "weight_decay": 0.0, "exempt": True})
        return [group for group in groups if group["params"]]
