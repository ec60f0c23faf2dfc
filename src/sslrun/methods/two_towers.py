"""Shared by methods for images and captions: two encoders, a linear projection each, a learned temperature."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sslrun.backbones.base import Encoder, encode
from sslrun.backbones.clip import clip_heads
from sslrun.backbones.folder import build_encoder
from sslrun.backbones.joint import Joint, Tower
from sslrun.config.errors import ConfigError
from sslrun.config.method.pairs import PairMethodConfig
from sslrun.core.batch import PairBatch
from sslrun.methods.base import Method, StepOutput


class TwoTowers(Method):
    """Subclasses define the loss on a batch's projections."""

    batch_type = PairBatch
    config: PairMethodConfig

    def __init__(self, config: PairMethodConfig, encoder: Encoder) -> None:
        super().__init__(config, encoder)
        if "text" not in encoder.inputs:
            raise ConfigError(f"method={config.kind} reads images with captions; choose e.g. dataset=pairs")
        self.text_encoder = build_encoder(config.text, encoder.inputs["text"])
        self.image_projection = nn.Linear(encoder.num_features, config.out_dim, bias=False)
        self.text_projection = nn.Linear(self.text_encoder.num_features, config.out_dim, bias=False)
        self.log_scale = nn.Parameter(torch.tensor(math.log(config.scale)))
        if clip_heads(encoder) and (heads := clip_heads(self.text_encoder)):
            self._load_heads(heads)

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        """One pass of each encoder."""
        features = encode(self.encoder, batch)  # (B, D)
        images = self.image_projection(features)  # (B, P)
        texts = self.text_projection(encode(self.text_encoder, batch))  # (B, P)
        scale = self.log_scale.exp()
        loss = self.loss(images, texts, scale=scale, captions=batch["caption"])
        return StepOutput(loss, embedding=features.detach(), logs={"scale": scale.detach()})

    def loss(self, images: Tensor, texts: Tensor, *, scale: Tensor, captions: Tensor) -> Tensor:
        """() loss of this rank's (B, P) projections against those of all ranks."""
        raise NotImplementedError

    def after_step(self, progress: float) -> None:
        """Clamp the scale: section 2.5 of arXiv:2103.00020."""
        with torch.no_grad():
            self.log_scale.clamp_(max=math.log(self.config.max_scale))

    def encoders(self) -> dict[str, Encoder]:
        """Image and text encoder."""
        return {"image": self.encoder, "text": self.text_encoder}

    def project(self, features: Tensor) -> Tensor:
        """(B, D) image features -> (B, P)."""
        return self.image_projection(features)

    def save_extras(self, folder: Path) -> None:
        """Write the projections."""
        self.joint().save_projections(folder)

    @torch.no_grad()
    def _load_heads(self, heads: Mapping[str, Tensor]) -> None:
        """Start from a CLIP checkpoint's projections and scale."""
        for layer, name in ((self.image_projection, "visual_projection"), (self.text_projection, "text_projection")):
            weight = heads[f"{name}.weight"]
            if weight.shape != layer.weight.shape:
                raise ConfigError(
                    f"method.out_dim={self.config.out_dim}: the checkpoint projects to {len(weight)}; "
                    f"say method.out_dim={len(weight)}"
                )
            layer.weight.copy_(weight)
        self.log_scale.copy_(heads["logit_scale"].float().clamp(max=math.log(self.config.max_scale)))

    def joint(self) -> Joint:
        """Both encoders with their projections, for zero-shot evaluation and search."""
        image, text = Tower(self.encoder, self.image_projection), Tower(self.text_encoder, self.text_projection)
        return Joint(image, text, self.log_scale.detach().exp())
