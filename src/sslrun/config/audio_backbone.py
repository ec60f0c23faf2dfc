"""Configurations of the backbones for sound."""

from collections.abc import Callable
from dataclasses import dataclass

from sslrun.config.checks import check_multiple, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
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

    width: int = limited(256, at_least=1)
    hidden: int = limited(256, at_least=1)
    kernels: list[int] = limited([1, 1], at_least=1)
    strides: list[int] = limited([1, 1], at_least=1)
    dropout: float = limited(0.0, at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_convolutions(self.kernels, self.strides, key_of=self.key_of)


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
    width: int = limited(768, at_least=1)
    depth: int = limited(12, at_least=1)
    heads: int = limited(12, at_least=1)
    mlp: int = limited(3072, at_least=1)
    conv_width: int = limited(512, at_least=1)
    kernels: list[int] = limited([10, 3, 3, 3, 3, 2, 2], at_least=1)
    strides: list[int] = limited([5, 2, 2, 2, 2, 2, 2], at_least=1)
    conv_norm: str = limited("group", one_of=("group", "layer"))
    pre_norm: bool = False
    position_kernel: int = limited(128, at_least=1)
    position_groups: int = limited(16, at_least=1)
    dropout: float = limited(0.1, at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("heads", "position_groups"):
            check_multiple(self.key_of("width"), self.width, of_key=self.key_of(name), of=getattr(self, name))
        check_convolutions(self.kernels, self.strides, key_of=self.key_of)


def check_convolutions(kernels: list[int], strides: list[int], *, key_of: Callable[[str], str]) -> None:
    """Raise ConfigError unless there is a stride for each kernel, no larger than it."""
    if len(kernels) != len(strides) or not kernels:
        raise ConfigError(
            f"{key_of('kernels')} and {key_of('strides')} must be equally many, got {len(kernels)} and {len(strides)}"
        )
    for kernel, stride in zip(kernels, strides, strict=True):
        check_range(key_of("strides"), stride, at_least=1, at_most=kernel)
