"""Configuration of SimCLR."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "simclr",
    target="sslrun.methods.simclr:SimCLR",
    paper="Chen et al. 2020, arXiv:2002.05709",
    reads=("views",),
)
@dataclass(kw_only=True)
class SimCLRConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; temperature: tau of eq. 1.

    output_batch_norm: BatchNorm without affine on the projector's output.
    """

    kind: str = "simclr"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    temperature: float = MISSING
    output_batch_norm: bool = False

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.temperature", self.temperature, above=0)
