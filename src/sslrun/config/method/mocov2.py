"""Configuration of MoCo v2."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


class ShuffledBatchNorm(Enum):
    """`shuffled`: keys are encoded in another order, over all ranks, than their queries; `none`: in the same."""

    shuffled = "shuffled"
    none = "none"


@register(
    "method",
    "mocov2",
    target="sslrun.methods.mocov2:MoCoV2",
    paper="He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297",
    reads=("views",),
)
@dataclass(kw_only=True)
class MoCoV2Config(MethodConfig):
    """The queue, the key encoder, and what BatchNorm may tell.

    Attributes:
        hidden_dim, out_dim: widths of the projector.
        queue_size: keys kept as negatives.
        temperature: tau of eq. 1.
        decay_start, decay_end: of the key encoder, from the first to the last step along a cosine.
        batch_norm: which images share their statistics; over all devices it is trainer.sync_batchnorm, whose null means
            true with `none` alone.
        bn_splits: groups of each device's batch that have statistics of their own: several GPUs' worth on one.
        symmetric: both views are query and key.
    """

    kind: str = "mocov2"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    queue_size: int = MISSING
    temperature: float = MISSING
    decay_start: float = MISSING
    decay_end: float = MISSING
    batch_norm: ShuffledBatchNorm = ShuffledBatchNorm.shuffled
    bn_splits: int = 1
    symmetric: bool = False

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.queue_size", self.queue_size, at_least=1)
        check_range("method.temperature", self.temperature, above=0)
        check_range("method.decay_start", self.decay_start, at_least=0, at_most=1)
        check_range("method.decay_end", self.decay_end, at_least=0, at_most=1)
        check_range("method.bn_splits", self.bn_splits, at_least=1)
