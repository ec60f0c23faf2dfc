"""Configuration of iBOT and of DINOv2's objective."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sslrun.config.checks import check_interval
from sslrun.config.method.dino import DINOConfig
from sslrun.config.node import limited
from sslrun.config.registry import register


class Centering(Enum):
    """Centering of the teacher's outputs: softmax after subtracting an EMA center, or Sinkhorn-Knopp over the batch."""

    softmax = "softmax"
    sinkhorn = "sinkhorn"


@register(target="sslrun.methods.ibot:IBOT", paper="Zhou et al. 2022, arXiv:2111.07832", reads=("views",))
@dataclass(kw_only=True)
class IBOTConfig(DINOConfig):
    """What iBOT and DINOv2 (arXiv:2304.07193) add to DINO.

    Attributes:
        mask_share: share of the global views that are masked.
        mask_ratios: minimum and maximum share of masked patches in a masked view.
        shared_head: one head for class token and patches; false gives patches their own.
        centering: of the targets of both losses.
        sinkhorn_iterations: used if centering is sinkhorn.
        patch_weight: weight of the patch loss.
        koleo_weight: weight of the KoLeo loss, per global view; 0 omits it.
    """

    kind: str = "ibot"
    mask_share: float = limited(above=0, at_most=1)
    mask_ratios: list[float] = limited(above=0, below=1)
    shared_head: bool = MISSING
    centering: Centering = MISSING
    sinkhorn_iterations: int = limited(at_least=1)
    patch_weight: float = limited(at_least=0)
    koleo_weight: float = limited(at_least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_interval("method.mask_ratios", self.mask_ratios)
