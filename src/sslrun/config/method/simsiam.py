"""Configuration of SimSiam."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "simsiam",
    target="sslrun.methods.simsiam:SimSiam",
    paper="Chen and He 2021, arXiv:2011.10566",
    reads=("views",),
)
@dataclass(kw_only=True)
class SimSiamConfig(MethodConfig):
    """What SimSiam adds.

    Attributes:
        hidden_dim, out_dim: widths of the three-layer projector.
        predictor_hidden_dim: the predictor's bottleneck.
        joint_views: whether both views go through the encoder in one batch; always where it has no BatchNorm.
    """

    kind: str = "simsiam"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    predictor_hidden_dim: int = MISSING
    joint_views: bool = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.predictor_hidden_dim", self.predictor_hidden_dim, at_least=1)
