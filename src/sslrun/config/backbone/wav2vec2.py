"""Configuration of wav2vec 2.0's encoder."""

from dataclasses import dataclass

from sslrun.config.backbone.convolutions import check_convolutions
from sslrun.config.checks import check_multiple
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import CheckpointConfig


@register(
    target="sslrun.backbones.wav2vec2:Wav2Vec2Encoder",
    paper="Baevski et al. 2020, arXiv:2006.11477",
    modality="audio",
)
@dataclass(kw_only=True)
class Wav2Vec2EncoderConfig(CheckpointConfig):
    """wav2vec 2.0 of the library `transformers`, with these sizes or a checkpoint's.

    Attributes:
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
        conv_width: channels of the convolutions over samples, and so of the latents.
        kernels, strides: of each convolution, without padding; the product of the strides is one time step.
        conv_norm: `group`, GroupNorm over time after the first convolution (the paper's base), where padding enters the
            statistics; `layer`, LayerNorm at each time step after every convolution.
        pre_norm: normalise before attention and feed-forward layers (the paper's large), or after them.
        position_kernel, position_groups: kernel size, in time steps, and groups of the positional convolution.
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
