"""Configuration of SimCLR."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.simclr:SimCLR", paper="Chen et al. 2020, arXiv:2002.05709", reads=("views",))
@dataclass(kw_only=True)
class SimCLRConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; temperature: tau of eq. 1.

    output_batch_norm: BatchNorm without affine parameters on the projector's output.
    """

    kind: str = "simclr"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    temperature: float = limited(above=0)
    output_batch_norm: bool = False
