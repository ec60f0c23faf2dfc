"""Configuration of iBOT and of DINOv2's objective."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sslrun.config.checks import check_interval
from sslrun.config.method.dino import DINOConfig
from sslrun.config.node import limited
from sslrun.config.registry import register


class Centering(Enum):
    """How the teacher's outputs become targets: a softmax after a running mean, or Sinkhorn-Knopp over the batch."""

    softmax = "softmax"
    sinkhorn = "sinkhorn"


@register(target="sslrun.methods.ibot:IBOT", paper="Zhou et al. 2022, arXiv:2111.07832", reads=("views",))
@dataclass(kw_only=True)
class IBOTConfig(DINOConfig):
    """What iBOT, and DINOv2 (arXiv:2304.07193), add to DINO.

    Attributes:
        mask_share: share of the large views that are masked.
        mask_ratios: the least and the most of the patches that are hidden in a masked view.
        shared_head: whether patches go through the head of the pooled output; false gives them their own.
        centering: of both kinds of targets.
        sinkhorn_iterations: used if centering is sinkhorn.
        patch_weight: of the patch loss.
        koleo_weight: of the KoLeo loss, for each large view; 0 omits it.
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
