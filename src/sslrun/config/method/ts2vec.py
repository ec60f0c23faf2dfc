"""Configuration of TS2Vec."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    target="sslrun.methods.ts2vec:TS2Vec",
    paper="Yue et al. 2022, arXiv:2106.10466",
    modality="series",
    reads=("series",),
)
@dataclass(kw_only=True)
class TS2VecConfig(MethodConfig):
    """TS2Vec.

    Attributes:
        alpha: share of the instance-wise loss.
        mask_share: share of time steps masked in training.
        average: whether to keep the average of the weights over all steps instead of the last weights.
    """

    kind: str = "ts2vec"
    alpha: float = limited(at_least=0, at_most=1)
    mask_share: float = limited(at_least=0, below=1)
    average: bool = False
