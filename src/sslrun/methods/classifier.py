"""An encoder with a linear classifier: what fine-tuning and supervised pretraining train."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, encode
from sslrun.core.batch import ImageBatch
from sslrun.methods.base import Method, StepOutput


class Classifier(Method):
    """Cross-entropy on labels; the rate of each block falls from the head down by `layer_decay` (arXiv:2106.08254).

    Args:
        weight_decay: of the blocks' own groups, where `layer_decay` is below 1.
    """

    batch_type = ImageBatch

    def __init__(
        self,
        encoder: Encoder,
        *,
        num_classes: int,
        label_smoothing: float,
        layer_decay: float = 1.0,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = nn.Linear(encoder.num_features, num_classes)
        nn.init.zeros_(self.head.bias)
        nn.init.trunc_normal_(self.head.weight, std=0.01)
        self.weight_decay, self.layer_decay, self.label_smoothing = weight_decay, layer_decay, label_smoothing

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of a labelled batch."""
        h = encode(self.encoder, batch)  # (B, D)
        with torch.autocast(h.device.type, enabled=False):
            logits = self.head(h.float())  # (B, C)
            loss = F.cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)
        accuracy = (logits.argmax(dim=1) == batch["label"]).float().mean()
        return StepOutput(loss, embedding=h.detach(), logs={"top1": accuracy.detach()})

    def logits(self, features: Tensor) -> Tensor:
        """(N, D) -> (N, C)."""
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
