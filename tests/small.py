"""Small forms of every registered method, for the tiers that run over all of them."""

from typing import Any

import torch
import torch.nn.functional as F

from sslrun.backbones.base import Encoder
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone import SmallCNNConfig, TimmConfig
from sslrun.config.command import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.registry import entries, find
from sslrun.config.schema import BackboneConfig, MethodConfig
from sslrun.core.batch import ImageBatch, ViewsBatch
from sslrun.methods.base import Method, build_method

CLASSES = 3
SIZES: dict[str, Any] = {
    "hidden_dim": 64, "out_dim": 32, "bottleneck_dim": 16, "prototypes": 24, "queue_size": 32,
    "mask_patch_size": 4, "decoder_dim": 48, "decoder_depth": 1, "decoder_heads": 3,
    "predictor_dim": 24, "predictor_hidden_dim": 32, "predictor_depth": 1, "predictor_heads": 3,
}  # fmt: skip
"""Fields of method configurations that are made small wherever a method has them."""
BACKBONES: dict[str, BackboneConfig] = {
    "cnn": SmallCNNConfig(name="small_cnn", width=8),
    "vit": TimmConfig(
        name="vit_tiny_patch16_224", patch_size=4, pool="avg", options={"depth": 2, "embed_dim": 48, "num_heads": 3}
    ),
}


def method_names() -> list[str]:
    """Every registered method of images."""
    return [e.kind for e in entries("method") if e.modality == "image"]


def needs_tokens(name: str) -> bool:
    """Whether a method refuses CNNs."""
    return bool(find("method", name).load().needs_tokens)


def small_config(name: str, overrides: list[str] | None = None, **sizes: Any) -> PretrainConfig:
    """The method as `method=NAME` composes it, with small heads, queues and decoders."""
    config = compose("pretrain", [f"method={name}", *(overrides or [])])
    assert isinstance(config, PretrainConfig)
    shrink(config.method, **sizes)
    return config


def shrink(config: MethodConfig, **sizes: Any) -> None:
    """Set `SIZES`, and `sizes` over them, wherever the method has such a field."""
    for key, value in (SIZES | sizes).items():
        if hasattr(config, key):
            setattr(config, key, value)


def small_method(name: str, backbone: str, *, size: int = 16, channels: int = 3) -> Method:
    """The small method on a small backbone, seeded."""
    inputs = {"channels": channels, "image_size": size, "mean": None, "std": None, "classes": CLASSES}
    config = small_config(name)
    torch.manual_seed(0)
    encoder: Encoder = build_encoder(BACKBONES[backbone], inputs)
    return build_method(config.method, encoder)


def random_batch(
    method: Method, *, rows: int = 8, size: int = 16, views: int | None = None, seed: int = 1
) -> dict[str, Any]:
    """A seeded batch of the type that the method reads: noisy copies of random images, with labels."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.randn(rows, 3, 4, 4, generator=generator)
    image = F.interpolate(coarse, size=(size, size), mode="bilinear")  # (B, 3, H, W), smooth as photographs are
    facts = {"index": torch.arange(rows), "label": torch.arange(rows) % CLASSES}
    if method.batch_type is ViewsBatch:
        count = max(2, views or method.views)
        return {"views": [image + 0.2 * torch.randn(image.shape, generator=generator) for _ in range(count)], **facts}
    assert method.batch_type is ImageBatch, method.batch_type
    return {"image": image, **facts}
