"""Configuration of SimMIM."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.simmim:SimMIM", paper="Xie et al. 2022, arXiv:2111.09886", reads=("images",))
@dataclass(kw_only=True)
class SimMIMConfig(MethodConfig):
    """mask_ratio: share of masked units; mask_patch_size: side of a unit in pixels, a multiple of the patch size."""

    kind: str = "simmim"
    mask_ratio: float = limited(above=0, below=1)
    mask_patch_size: int = limited(at_least=1)
