"""Configuration of CPC."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "cpc",
    target="sslrun.methods.cpc:CPC",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
)
@dataclass(kw_only=True)
class CPCConfig(MethodConfig):
    """steps: how far ahead is predicted, in moments of the encoder; each of 1 to `steps` has its own matrix."""

    kind: str = "cpc"
    steps: int = MISSING

    def __post_init__(self) -> None:
        check_range("method.steps", self.steps, at_least=1)
