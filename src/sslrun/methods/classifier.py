"""An encoder with a linear classifier, for fine-tuning and supervised pretraining."""

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F

from sslrun.backbones.base import Encoder, encode
from sslrun.methods.base import StepOutput
from sslrun.methods.fine_tuned import FineTuned


class Classifier(FineTuned):
    """Cross-entropy on labels."""

    def __init__(
        self,
        encoder: Encoder,
        *,
        num_classes: int,
        label_smoothing: float,
        layer_decay: float = 1.0,
    ) -> None:
        super().__init__(encoder, outputs=num_classes, layer_decay=layer_decay)
        self.label_smoothing = label_smoothing

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """Loss of a labelled batch."""
        h = encode(self.encoder, batch)  # (B, D)
        logits = self.logits(h)  # (B, C)
        with torch.autocast(h.device.type, enabled=False):
            loss = F.cross_entropy(logits, batch["label"], label_smoothing=self.label_smoothing)
        accuracy = (logits.argmax(dim=1) == batch["label"]).float().mean()
        return StepOutput(loss, embedding=h.detach(), logs={"top1": accuracy.detach()})
