"""Configuration of BYOL."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.byol:BYOL", paper="Grill et al. 2020, arXiv:2006.07733", reads=("views",))
@dataclass(kw_only=True)
class BYOLConfig(MethodConfig):
    """BYOL.

    Attributes:
        hidden_dim, out_dim: widths of projector and predictor.
        decay_start: tau_base, the initial EMA decay; rises to 1 along a cosine.
        output_batch_norm: BatchNorm without affine parameters on the projector's output.
        joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "byol"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    decay_start: float = limited(at_least=0, at_most=1)
    output_batch_norm: bool = False
    joint_views: bool = False
