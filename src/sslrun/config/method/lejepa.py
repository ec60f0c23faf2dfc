"""Configuration of LeJEPA."""

from dataclasses import dataclass

from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.lejepa:LeJEPA", paper="Balestriero and LeCun 2025, arXiv:2511.08544", reads=("views",))
@dataclass(kw_only=True)
class LeJEPAConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; sigreg_weight: lambda, the share of SIGReg in the loss.

    directions: random projections per step; knots, domain: quadrature points of the integral over [-domain, domain].
    """

    kind: str = "lejepa"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    sigreg_weight: float = limited(at_least=0, at_most=1)
    directions: int = limited(at_least=1)
    knots: int = limited(at_least=3)
    domain: float = limited(above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.knots % 2 == 0:
            raise ConfigError(f"method.knots must be odd, so that 0 is among them, got {self.knots}")
