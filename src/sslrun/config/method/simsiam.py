"""Configuration of SimSiam."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.simsiam:SimSiam", paper="Chen and He 2021, arXiv:2011.10566", reads=("views",))
@dataclass(kw_only=True)
class SimSiamConfig(MethodConfig):
    """SimSiam.

    Attributes:
        hidden_dim, out_dim: widths of the three-layer projector.
        predictor_hidden_dim: width of the predictor's bottleneck.
        joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "simsiam"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    predictor_hidden_dim: int = limited(at_least=1)
    joint_views: bool = MISSING
