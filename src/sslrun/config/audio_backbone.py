"""Configurations of the backbones for sound."""

from dataclasses import dataclass, field

from sslrun.config.checks import check_one_of, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig, CheckpointConfig


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
        check_convolutions(self.kernels, self.strides)


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


@register(
    "backbone",
    "wav2vec2",
    target="sslrun.backbones.wav2vec2:Wav2Vec2Encoder",
    paper="Baevski et al. 2020, arXiv:2006.11477",
    modality="audio",
)
@dataclass(kw_only=True)
class Wav2Vec2EncoderConfig(CheckpointConfig):
    """The wav2vec 2.0 of the library `transformers`, of these sizes or as a checkpoint has them.

    Attributes:
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
        conv_width: of the convolutions over samples, and so of a moment's own vector.
        kernels, strides: of each convolution, without padding; the product of the strides is a moment.
        conv_norm: `group`, the first convolution over time (the paper's base), where padding enters what is normalised;
            `layer`, each of them at each moment.
        pre_norm: normalise before attention and feed-forward layers (the paper's large), or behind them.
        position_kernel, position_groups: of the convolution that tells positions, in moments.
        dropout: of hidden states, attention and feed-forward layers.
    """

    kind: str = "wav2vec2"
    width: int = 768
    depth: int = 12
    heads: int = 12
    mlp: int = 3072
    conv_width: int = 512
    kernels: list[int] = field(default_factory=lambda: [10, 3, 3, 3, 3, 2, 2])
    strides: list[int] = field(default_factory=lambda: [5, 2, 2, 2, 2, 2, 2])
    conv_norm: str = "group"
    pre_norm: bool = False
    position_kernel: int = 128
    position_groups: int = 16
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_of("backbone.conv_norm", self.conv_norm, ("group", "layer"))
        for key in ("width", "depth", "heads", "mlp", "conv_width", "position_kernel", "position_groups"):
            check_range(f"backbone.{key}", getattr(self, key), at_least=1)
        for key in ("heads", "position_groups"):
            if self.width % getattr(self, key):
                raise ConfigError(f"backbone.width={self.width} is no multiple of backbone.{key}={getattr(self, key)}")
        check_range("backbone.dropout", self.dropout, at_least=0, below=1)
        check_convolutions(self.kernels, self.strides)


def check_convolutions(kernels: list[int], strides: list[int]) -> None:
    """Raise ConfigError unless there is a stride to each kernel, no larger than it."""
    if len(kernels) != len(strides) or not kernels:
        raise ConfigError(
            f"backbone.kernels and backbone.strides must be equally many, got {len(kernels)} and {len(strides)}"
        )
    for kernel, stride in zip(kernels, strides, strict=True):
        check_range("backbone.kernels", kernel, at_least=1)
        check_range("backbone.strides", stride, at_least=1, at_most=kernel)
