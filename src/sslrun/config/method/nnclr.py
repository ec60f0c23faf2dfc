"""Configuration of NNCLR."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.nnclr:NNCLR", paper="Dwibedi et al. 2021, arXiv:2104.14548", reads=("views",))
@dataclass(kw_only=True)
class NNCLRConfig(MethodConfig):
    """The heads and the support set.

    Attributes:
        hidden_dim, out_dim: widths of the projector, of three layers.
        predictor_hidden_dim: width of the predictor.
        queue_size: projections in the support set.
        temperature: tau of the loss.
        joint_views: both views go through the encoder in one batch and share its BatchNorm statistics; an
            encoder without BatchNorm always takes them together.
    """

    kind: str = "nnclr"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    predictor_hidden_dim: int = limited(at_least=1)
    queue_size: int = limited(at_least=1)
    temperature: float = limited(above=0)
    joint_views: bool = False
