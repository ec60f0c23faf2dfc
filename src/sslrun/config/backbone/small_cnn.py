"""Configuration of a small convolutional network."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@register(target="sslrun.backbones.small_cnn:SmallCNN", paper="three convolutions, for 8 to 28 px")
@dataclass(kw_only=True)
class SmallCNNConfig(BackboneConfig):
    """Three 3x3 convolutions with BatchNorm; width: channels of the first one."""

    kind: str = "small_cnn"
    width: int = limited(32, at_least=1)
