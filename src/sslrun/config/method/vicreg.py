"""Configuration of VICReg."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.vicreg:VICReg", paper="Bardes et al. 2022, arXiv:2105.04906", reads=("views",))
@dataclass(kw_only=True)
class VICRegConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the expander; invariance, variance, covariance: weights of the terms (eq. 6).

    joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "vicreg"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    invariance: float = limited(at_least=0)
    variance: float = limited(at_least=0)
    covariance: float = limited(at_least=0)
    joint_views: bool = MISSING
