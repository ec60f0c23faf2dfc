"""Configuration of MoCo v3."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.mocov3:MoCoV3", paper="Chen et al. 2021, arXiv:2104.02057", reads=("views",))
@dataclass(kw_only=True)
class MoCoV3Config(MethodConfig):
    """MoCo v3.

    Attributes:
        hidden_dim, out_dim: widths of projector and predictor.
        projector_layers: linear layers of the projector.
        predictor_last_batch_norm: BatchNorm on the predictor's output too.
        temperature: tau of eq. 1; the loss is scaled by 2 tau.
        decay_start: initial EMA decay of the momentum encoder; rises to 1 along a cosine.
        freeze_patch_embed: freeze a ViT's patch projection at its random initialisation; CNNs have none.
        joint_views: encode both views in one batch, with shared BatchNorm statistics; always done without BatchNorm.
    """

    kind: str = "mocov3"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    projector_layers: int = limited(at_least=1)
    predictor_last_batch_norm: bool = True
    temperature: float = limited(above=0)
    decay_start: float = limited(at_least=0, at_most=1)
    freeze_patch_embed: bool = True
    joint_views: bool = False
