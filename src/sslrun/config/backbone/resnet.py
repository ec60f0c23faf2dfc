"""Configuration of torchvision's ResNets."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


class Stem(Enum):
    """`large`: 7x7 convolution of stride 2 and max pooling; `small`: 3x3 of stride 1, for images up to 64 px."""

    large = "large"
    small = "small"


@register(target="sslrun.backbones.resnet:ResNet", paper="He et al. 2016, arXiv:1512.03385")
@dataclass(kw_only=True)
class ResNetConfig(BackboneConfig):
    """torchvision's ResNet.

    Attributes:
        width: channels of the first stage (64 in the paper).
        zero_init_residual: zero-initialise the last BatchNorm weight of each block, so that it starts as the identity.
    """

    has_library_weights: ClassVar[bool] = True

    kind: str = "resnet"
    name: str = limited(one_of=("resnet18", "resnet34", "resnet50", "resnet101"))
    width: int = limited(64, at_least=1)
    stem: Stem = Stem.large
    zero_init_residual: bool = False
