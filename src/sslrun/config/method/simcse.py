"""Configuration of SimCSE."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.simcse:SimCSE",
    paper="Gao et al. 2021, arXiv:2104.08821",
    modality="text",
    reads=("tokens",),
)
@dataclass(kw_only=True)
class SimCSEConfig(MethodConfig):
    """temperature: tau."""

    kind: str = "simcse"
    temperature: float = limited(above=0)
