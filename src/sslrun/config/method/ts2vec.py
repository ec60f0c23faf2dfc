"""Configuration of TS2Vec."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "ts2vec",
    target="sslrun.methods.ts2vec:TS2Vec",
    paper="Yue et al. 2022, arXiv:2106.10466",
    modality="series",
    reads=("series",),
)
@dataclass(kw_only=True)
class TS2VecConfig(MethodConfig):
    """Section 3 of the paper.

    Attributes:
        alpha: share of the instance-wise loss.
        mask_share: of timestamps that are hidden in training.
        average: whether the encoder is the average of the weights over all steps, or the last weights.
    """

    kind: str = "ts2vec"
    alpha: float = MISSING
    mask_share: float = MISSING
    average: bool = False

    def __post_init__(self) -> None:
        check_range("method.alpha", self.alpha, at_least=0, at_most=1)
        check_range("method.mask_share", self.mask_share, at_least=0, below=1)
