"""Configurations of the backbones for time series."""

from dataclasses import dataclass

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@register(
    "backbone",
    "ts2vec",
    target="sslrun.backbones.ts2vec:TS2VecEncoder",
    paper="Yue et al. 2022, arXiv:2106.10466",
    modality="series",
)
@dataclass(kw_only=True)
class TS2VecEncoderConfig(BackboneConfig):
    """Dilated convolutions, a vector for each timestamp.

    Attributes:
        width: channels inside.
        out_dim: of a timestamp's vector.
        depth: residual blocks, dilated by 1, 2, 4, …; one more makes the output.
        dropout: of the output.
    """

    kind: str = "ts2vec"
    width: int = 64
    out_dim: int = 320
    depth: int = 10
    dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("width", "out_dim", "depth"):
            check_range(f"backbone.{key}", getattr(self, key), at_least=1)
        check_range("backbone.dropout", self.dropout, at_least=0, below=1)


@register(
    "backbone",
    "patchtst",
    target="sslrun.backbones.patchtst:PatchTSTEncoder",
    paper="Nie et al. 2023, arXiv:2211.14730",
    modality="series",
)
@dataclass(kw_only=True)
class PatchTSTEncoderConfig(BackboneConfig):
    """A transformer over patches of each channel by itself.

    Attributes:
        patch_size: timestamps of a patch; patches do not overlap.
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
    """

    kind: str = "patchtst"
    patch_size: int = 12
    width: int = 128
    depth: int = 3
    heads: int = 16
    mlp: int = 512
    dropout: float = 0.2

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("patch_size", "width", "depth", "heads", "mlp"):
            check_range(f"backbone.{key}", getattr(self, key), at_least=1)
        check_range("backbone.dropout", self.dropout, at_least=0, below=1)
        if self.width % self.heads:
            raise ConfigError(f"backbone.width={self.width} is no multiple of backbone.heads={self.heads}")
