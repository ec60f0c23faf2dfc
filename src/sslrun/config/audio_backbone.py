"""Configurations of the backbones for sound."""

from dataclasses import dataclass, field

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@dataclass(kw_only=True)
class RecurrentConfig(BackboneConfig):
    """Convolutions over time, then a GRU.

    Attributes:
        width: of the convolutions, and so of a moment's own vector.
        hidden: of the GRU, and so of the vector of a moment with its past.
        kernels, strides: of each convolution, without padding; the product of the strides is a moment.
        dropout: of what the GRU reads.
    """

    width: int = 256
    hidden: int = 256
    kernels: list[int] = field(default_factory=lambda: [1, 1])
    strides: list[int] = field(default_factory=lambda: [1, 1])
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("backbone.width", self.width, at_least=1)
        check_range("backbone.hidden", self.hidden, at_least=1)
        check_range("backbone.dropout", self.dropout, at_least=0, below=1)
        if len(self.kernels) != len(self.strides) or not self.kernels:
            raise ConfigError(
                f"backbone.kernels and backbone.strides must be equally many, got {len(self.kernels)} and "
                f"{len(self.strides)}"
            )
        for kernel, stride in zip(self.kernels, self.strides, strict=True):
            check_range("backbone.kernels", kernel, at_least=1)
            check_range("backbone.strides", stride, at_least=1, at_most=kernel)


@register(
    "backbone",
    "cpc",
    target="sslrun.backbones.cpc:CPCEncoder",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
)
@dataclass(kw_only=True)
class CPCEncoderConfig(RecurrentConfig):
    """Over log-mel frames, or any series."""

    kind: str = "cpc"


@register(
    "backbone",
    "cpc_wave",
    target="sslrun.backbones.cpc:WaveCPCEncoder",
    paper="van den Oord et al. 2018, arXiv:1807.03748",
    modality="audio",
)
@dataclass(kw_only=True)
class WaveCPCEncoderConfig(RecurrentConfig):
    """Over the samples of a wave."""

    kind: str = "cpc_wave"
