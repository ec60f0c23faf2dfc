"""Configuration of NNCLR."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "nnclr",
    target="sslrun.methods.nnclr:NNCLR",
    paper="Dwibedi et al. 2021, arXiv:2104.14548",
    reads=("views",),
)
@dataclass(kw_only=True)
class NNCLRConfig(MethodConfig):
    """The heads and the support set.

    Attributes:
        hidden_dim, out_dim: widths of the projector, of three layers.
        predictor_hidden_dim: width of the predictor.
        queue_size: projections in the support set.
        temperature: tau of the loss.
        joint_views: both views go through the encoder in one batch and share its BatchNorm statistics; where it has
            no BatchNorm they always do.
    """

    kind: str = "nnclr"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    predictor_hidden_dim: int = MISSING
    queue_size: int = MISSING
    temperature: float = MISSING
    joint_views: bool = False

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.predictor_hidden_dim", self.predictor_hidden_dim, at_least=1)
        check_range("method.queue_size", self.queue_size, at_least=1)
        check_range("method.temperature", self.temperature, above=0)
