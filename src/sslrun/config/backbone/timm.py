"""Configuration of timm's models."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


class Positions(Enum):
    """A ViT's position embeddings: `model`, those of timm's model; `sincos`, fixed 2-D sine-cosine."""

    model = "model"
    sincos = "sincos"


@register(target="sslrun.backbones.timm:TimmEncoder", paper="Wightman 2019, timm")
@dataclass(kw_only=True)
class TimmConfig(BackboneConfig):
    """Any timm model by name.

    Attributes:
        patch_size: for ViTs, in pixels; [height, width] if patches are not square.
        pool: for ViTs: `token` (class token) or `avg` (mean of the patch tokens); null takes the model's own.
        positions: for ViTs with additive position embeddings; `sincos` as in the code of MAE and I-JEPA.
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
