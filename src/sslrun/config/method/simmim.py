"""Configuration of SimMIM."""

from dataclasses import dataclass

from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.simmim:SimMIM", paper="Xie et al. 2022, arXiv:2111.09886", reads=("images",))
@dataclass(kw_only=True)
class SimMIMConfig(MethodConfig):
    """SimMIM.

    Attributes:
        mask_ratio: share of masked units.
        mask_patch_size: side of a unit in pixels, a multiple of the patch size.
        target_window: side in pixels, odd, of the window around a pixel by whose mean and standard deviation the target
            is normalised; null for raw pixels.
    """

    kind: str = "simmim"
    mask_ratio: float = limited(above=0, below=1)
    mask_patch_size: int = limited(at_least=1)
    target_window: int | None = limited(None, at_least=3)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.target_window is not None and self.target_window % 2 == 0:
            raise ConfigError(
                f"method.target_window must be odd, so that a pixel is its centre, got {self.target_window}"
            )
