"""Configuration of PatchTST's pretraining."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.patchtst:PatchTST",
    paper="Nie et al. 2023, arXiv:2211.14730",
    modality="series",
    reads=("series",),
)
@dataclass(kw_only=True)
class PatchTSTConfig(MethodConfig):
    """mask_ratio: share of masked patches per channel; dropout: before the head."""

    kind: str = "patchtst"
    mask_ratio: float = limited(above=0, below=1)
    dropout: float = limited(at_least=0, below=1)
