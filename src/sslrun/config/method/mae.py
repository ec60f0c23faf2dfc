"""Configuration of MAE."""

from dataclasses import dataclass

from sslrun.config.checks import check_transformer_width
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.mae:MAE", paper="He et al. 2022, arXiv:2111.06377", reads=("images",))
@dataclass(kw_only=True)
class MAEConfig(MethodConfig):
    """mask_ratio: share of masked patches; decoder_dim, decoder_depth, decoder_heads: the decoder's size."""

    kind: str = "mae"
    mask_ratio: float = limited(above=0, below=1)
    decoder_dim: int = limited(at_least=4)
    decoder_depth: int = limited(at_least=1)
    decoder_heads: int = limited(at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_transformer_width("method.decoder", self.decoder_dim, self.decoder_heads)
