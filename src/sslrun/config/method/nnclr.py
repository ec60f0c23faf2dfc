"""Configuration of NNCLR."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.nnclr:NNCLR", paper="Dwibedi et al. 2021, arXiv:2104.14548", reads=("views",))
@dataclass(kw_only=True)
class NNCLRConfig(MethodConfig):
    """NNCLR.

    Attributes:
        hidden_dim, out_dim: widths of the three-layer projector.
        predictor_hidden_dim: hidden width of the predictor.
        queue_size: number of projections in the support set.
        temperature: tau of the loss.
        joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "nnclr"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    predictor_hidden_dim: int = limited(at_least=1)
    queue_size: int = limited(at_least=1)
    temperature: float = limited(above=0)
    joint_views: bool = False
