"""Configuration of MAE."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range, check_transformer
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register("method", "mae", target="sslrun.methods.mae:MAE", paper="He et al. 2022, arXiv:2111.06377", reads=("images",))
@dataclass(kw_only=True)
class MAEConfig(MethodConfig):
    """mask_ratio: share of the patches to hide; decoder_dim, decoder_depth, decoder_heads: the decoder's size."""

    kind: str = "mae"
    mask_ratio: float = MISSING
    decoder_dim: int = MISSING
    decoder_depth: int = MISSING
    decoder_heads: int = MISSING

    def __post_init__(self) -> None:
        check_range("method.mask_ratio", self.mask_ratio, above=0, below=1)
        check_transformer("method.decoder", self.decoder_dim, self.decoder_depth, self.decoder_heads)
