"""Configuration of TS2Vec's encoder."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@register(target="sslrun.backbones.ts2vec:TS2VecEncoder", paper="Yue et al. 2022, arXiv:2106.10466", modality="series")
@dataclass(kw_only=True)
class TS2VecEncoderConfig(BackboneConfig):
    """Dilated convolutions; one vector per time step.

    Attributes:
        width: channels of the residual blocks.
        out_dim: width of the output vectors.
        depth: residual blocks, with dilations 1, 2, 4, …; one more block produces the output.
        dropout: on the output.
    """

    kind: str = "ts2vec"
    width: int = limited(64, at_least=1)
    out_dim: int = limited(320, at_least=1)
    depth: int = limited(10, at_least=1)
    dropout: float = limited(0.1, at_least=0, below=1)
