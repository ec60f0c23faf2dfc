"""Configuration of LeJEPA."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "lejepa",
    target="sslrun.methods.lejepa:LeJEPA",
    paper="Balestriero and LeCun 2025, arXiv:2511.08544",
    reads=("views",),
)
@dataclass(kw_only=True)
class LeJEPAConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; sigreg_weight: lambda, the share of SIGReg in the loss.

    directions: random projections of a step; knots, domain: points of the integral over [-domain, domain].
    """

    kind: str = "lejepa"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    sigreg_weight: float = MISSING
    directions: int = MISSING
    knots: int = MISSING
    domain: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.sigreg_weight", self.sigreg_weight, at_least=0, at_most=1)
        check_range("method.directions", self.directions, at_least=1)
        check_range("method.knots", self.knots, at_least=3)
        check_range("method.domain", self.domain, above=0)
        if self.knots % 2 == 0:
            raise ConfigError(f"method.knots must be odd, so that 0 is among them, got {self.knots}")
