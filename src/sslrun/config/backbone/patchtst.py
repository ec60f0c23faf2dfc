"""Configuration of PatchTST's encoder."""

from dataclasses import dataclass

from sslrun.config.checks import check_multiple
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import BackboneConfig


@register(
    target="sslrun.backbones.patchtst:PatchTSTEncoder",
    paper="Nie et al. 2023, arXiv:2211.14730",
    modality="series",
)
@dataclass(kw_only=True)
class PatchTSTEncoderConfig(BackboneConfig):
    """A transformer over patches of each channel separately.

    Attributes:
        patch_size: time steps per patch; patches do not overlap.
        width, depth, heads: of the transformer.
        mlp: width of its feed-forward layers.
    """

    kind: str = "patchtst"
    patch_size: int = limited(12, at_least=1)
    width: int = limited(128, at_least=1)
    depth: int = limited(3, at_least=1)
    heads: int = limited(16, at_least=1)
    mlp: int = limited(512, at_least=1)
    dropout: float = limited(0.2, at_least=0, below=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_multiple(self.key_of("width"), self.width, of_key=self.key_of("heads"), of=self.heads)
