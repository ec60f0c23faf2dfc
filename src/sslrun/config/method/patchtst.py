"""Configuration of PatchTST's pretraining."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "patchtst",
    target="sslrun.methods.patchtst:PatchTST",
    paper="Nie et al. 2023, arXiv:2211.14730",
    modality="series",
    reads=("series",),
)
@dataclass(kw_only=True)
class PatchTSTConfig(MethodConfig):
    """mask_ratio: share of each channel's patches that is hidden; dropout: before the head."""

    kind: str = "patchtst"
    mask_ratio: float = MISSING
    dropout: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.mask_ratio", self.mask_ratio, above=0, below=1)
        check_range("method.dropout", self.dropout, at_least=0, below=1)
