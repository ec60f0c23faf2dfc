"""Configuration of Barlow Twins."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.barlow_twins:BarlowTwins",
    paper="Zbontar et al. 2021, arXiv:2103.03230",
    reads=("views",),
)
@dataclass(kw_only=True)
class BarlowTwinsConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; off_diagonal: lambda of eq. 1.

    bias_lr_scale: learning rate of biases and norms relative to that of weights.
    joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "barlow_twins"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    off_diagonal: float = limited(at_least=0)
    bias_lr_scale: float = limited(above=0)
    joint_views: bool = MISSING
