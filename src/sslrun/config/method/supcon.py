"""Configuration of SupCon."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.supcon:SupCon", paper="Khosla et al. 2020, arXiv:2004.11362", reads=("views",))
@dataclass(kw_only=True)
class SupConConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; temperature: tau of eq. 2.

    normalize_features: L2-normalise the features before the projector.
    scale_by_temperature: multiply the loss by tau.
    """

    kind: str = "supcon"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    temperature: float = limited(above=0)
    normalize_features: bool = MISSING
    scale_by_temperature: bool = False
