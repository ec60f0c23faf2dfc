"""Configuration of VICReg."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "vicreg",
    target="sslrun.methods.vicreg:VICReg",
    paper="Bardes et al. 2022, arXiv:2105.04906",
    reads=("views",),
)
@dataclass(kw_only=True)
class VICRegConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the expander; invariance, variance, covariance: weights of the terms (eq. 6).

    joint_views: both views through the encoder in one batch, with common BatchNorm statistics; always if it has none.
    """

    kind: str = "vicreg"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    invariance: float = MISSING
    variance: float = MISSING
    covariance: float = MISSING
    joint_views: bool = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.invariance", self.invariance, at_least=0)
        check_range("method.variance", self.variance, at_least=0)
        check_range("method.covariance", self.covariance, at_least=0)
