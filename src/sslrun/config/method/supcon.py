"""Configuration of SupCon."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "supcon",
    target="sslrun.methods.supcon:SupCon",
    paper="Khosla et al. 2020, arXiv:2004.11362",
    reads=("views",),
)
@dataclass(kw_only=True)
class SupConConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; temperature: tau of eq. 2.

    normalize_features: the projector reads features of unit length.
    scale_by_temperature: the loss is multiplied by tau.
    """

    kind: str = "supcon"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    temperature: float = MISSING
    normalize_features: bool = MISSING
    scale_by_temperature: bool = False

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.temperature", self.temperature, above=0)
