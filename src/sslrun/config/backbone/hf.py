"""Configuration of image encoders from checkpoints of the library `transformers`."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import CheckpointConfig

MODELS = ("vit", "vit_mae", "dinov2", "dinov2_with_registers", "clip_vision_model")
"""Supported model types, by transformers' names."""


@register(target="sslrun.backbones.transformers_vision:HFEncoder", paper="Wolf et al. 2020, transformers")
@dataclass(kw_only=True)
class HFConfig(CheckpointConfig):
    """A ViT, ViTMAE, DINOv2 (with or without registers) or CLIP image encoder of the library `transformers`.

    Attributes:
        name: used in tables only; the checkpoint defines the architecture.
        pool: `token` (the class token) or `avg` (mean of the patch tokens); null: the class token.
    """

    kind: str = "hf"
    name: str = "hf"
    pool: str | None = limited(None, one_of=("token", "avg"))
