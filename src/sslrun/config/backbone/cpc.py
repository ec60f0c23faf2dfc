"""Configurations of CPC's encoders."""

from dataclasses import dataclass

from sslrun.config.backbone.convolutions import check_convolutions
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@dataclass(kw_only=True)
class RecurrentConfig(BackboneConfig):
    """Convolutions over time, then a GRU.

    Attributes:
        width: channels of the convolutions, and so of the latents z_t.
        hidden: width of the GRU, and so of the context vectors c_t.
        kernels, strides: of each convolution, without padding; the product of the strides is one time step.
        dropout: on the GRU's input.
    """

    width: int = limited(256, at_least=1)
    hidden: int = limited(256, at_least=1)
    kernels: list[int] = limited([1, 1], at_least=1)
    strides: list[int] = limited([1, 1], at_least=1)
    dropout: float = limited(0.0, at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_convolutions(self.kernels, self.strides, key_of=self.key_of)


@register(
    target="sslrun.backbones.cpc:CPCEncoder",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
)
@dataclass(kw_only=True)
class CPCEncoderConfig(RecurrentConfig):
    """On log-mel frames, or any series."""

    kind: str = "cpc"


@register(
    target="sslrun.backbones.cpc:WaveCPCEncoder",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
)
@dataclass(kw_only=True)
class WaveCPCEncoderConfig(RecurrentConfig):
    """On a raw waveform."""

    kind: str = "cpc_wave"
