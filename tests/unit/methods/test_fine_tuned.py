"""Fine-tuning's rates by depth."""

import pytest
from torch import nn

from small import BACKBONES
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.timm import TimmConfig
from sslrun.config.errors import ConfigError
from sslrun.methods.classifier import Classifier

IMAGES = {"channels": 3, "image_size": 16, "mean": None, "std": None, "classes": 3}


def test_blocks_have_rates_by_their_depth() -> None:
    encoder = build_encoder(BACKBONES["vit"], IMAGES)
    method = Classifier(encoder, num_classes=3, layer_decay=0.5, label_smoothing=0.0)
    depth = len(encoder.layers())
    assert sorted({g["lr_scale"] for g in method.param_groups()}) == [0.5**k for k in range(depth, 0, -1)]
    grouped = sum(len(g["params"]) for g in method.param_groups())
    assert grouped == len([p for p in encoder.parameters() if p.requires_grad])
    assert isinstance(method.head, nn.Linear)


def test_an_encoder_without_blocks_takes_no_layer_decay() -> None:
    encoder = build_encoder(TimmConfig(name="resnet10t"), IMAGES | {"image_size": 32})
    with pytest.raises(ConfigError, match=r"layer_decay=0.65: backbone=resnet10t has no blocks"):
        Classifier(encoder, num_classes=3, layer_decay=0.65, label_smoothing=0.0)
