"""Configurations of the vision backbones."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


class Positions(Enum):
    """Of a ViT's patches: `model`, as timm's model has them; `sincos`, fixed sines and cosines of row and column."""

    model = "model"
    sincos = "sincos"


class Stem(Enum):
    """`large`: 7x7 convolution of stride 2 and a pooling layer; `small`: 3x3 of stride 1, for images up to 64 px."""

    large = "large"
    small = "small"


@register("backbone", "resnet", target="sslrun.backbones.resnet:ResNet", paper="He et al. 2016, arXiv:1512.03385")
@dataclass(kw_only=True)
class ResNetConfig(BackboneConfig):
    """torchvision's ResNet.

    Attributes:
        width: channels of the first stage (64 in the paper).
        zero_init_residual: each block starts as its shortcut: the weight of its last BatchNorm is 0.
    """

    has_library_weights: ClassVar[bool] = True

    kind: str = "resnet"
    name: str = limited(one_of=("resnet18", "resnet34", "resnet50", "resnet101"))
    width: int = limited(64, at_least=1)
    stem: Stem = Stem.large
    zero_init_residual: bool = False


@register("backbone", "timm", target="sslrun.backbones.timm:TimmEncoder", paper="Wightman 2019, timm")
@dataclass(kw_only=True)
class TimmConfig(BackboneConfig):
    """Any timm model by name.

    Attributes:
        patch_size: of a ViT, in pixels; two numbers, height and width, where patches are no squares.
        pool: of a ViT: `token` (its class token) or `avg` (mean of the patch tokens); null takes the model's own.
        positions: of a ViT that adds positions to its patches; `sincos` as in the code of MAE and I-JEPA.
        options: further arguments of timm.create_model.
    """

    has_library_weights: ClassVar[bool] = True

    kind: str = "timm"
    patch_size: Any = None
    pool: str | None = limited(None, one_of=("token", "avg"))
    positions: Positions = Positions.model
    drop_path: float = limited(0.0, at_least=0, below=1)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        sides = self.patch_size if isinstance(self.patch_size, list) else [self.patch_size]
        if len(sides) > 2 or not all(side is None or (isinstance(side, int) and side > 0) for side in sides):
            key = self.key_of("patch_size")
            raise ConfigError(f"{key} is a whole number of pixels, or two, [height,width]; got {self.patch_size}")


@register(
    "backbone", "small_cnn", target="sslrun.backbones.small_cnn:SmallCNN", paper="three convolutions, for 8 to 28 px"
)
@dataclass(kw_only=True)
class SmallCNNConfig(BackboneConfig):
    """Three 3x3 convolutions with BatchNorm; width: channels of the first."""

    kind: str = "small_cnn"
    width: int = limited(32, at_least=1)
