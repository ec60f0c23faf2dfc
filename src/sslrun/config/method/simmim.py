"""Configuration of SimMIM."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "simmim",
    target="sslrun.methods.simmim:SimMIM",
    paper="Xie et al. 2022, arXiv:2111.09886",
    reads=("images",),
)
@dataclass(kw_only=True)
class SimMIMConfig(MethodConfig):
    """mask_ratio: share of the cells to hide; mask_patch_size: side of a cell in pixels, a multiple of the patch's."""

    kind: str = "simmim"
    mask_ratio: float = MISSING
    mask_patch_size: int = MISSING

    def __post_init__(self) -> None:
        check_range("method.mask_ratio", self.mask_ratio, above=0, below=1)
        check_range("method.mask_patch_size", self.mask_patch_size, at_least=1)
