"""Configurations of the image-text methods."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.backbone.transformers import TransformersConfig
from sslrun.config.checks import check_range
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@dataclass(kw_only=True)
class PairMethodConfig(MethodConfig):
    """Keys of all image-text methods.

    Attributes:
        text: the text encoder, chosen by `backbone@method.text=…`.
        out_dim: width of the joint embedding space.
        scale, max_scale: initial and maximum value of the learned inverse temperature.
    """

    text: TransformersConfig = MISSING
    out_dim: int = limited(at_least=1)
    scale: float = MISSING
    max_scale: float = limited(above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("method.scale", self.scale, above=0, at_most=self.max_scale)


@register(
    target="sslrun.methods.clip:CLIP",
    paper="Radford et al. 2021, arXiv:2103.00020",
    modality="pair",
    reads=("image-text pairs",),
)
@dataclass(kw_only=True)
class CLIPConfig(PairMethodConfig):
    """No hyperparameters of its own."""

    kind: str = "clip"


@register(
    target="sslrun.methods.siglip:SigLIP",
    paper="Zhai et al. 2023, arXiv:2303.15343",
    modality="pair",
    reads=("image-text pairs",),
)
@dataclass(kw_only=True)
class SigLIPConfig(PairMethodConfig):
    """bias: initial value of the learned bias on the logits."""

    kind: str = "siglip"
    bias: float = MISSING
