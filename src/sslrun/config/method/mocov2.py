"""Configuration of MoCo v2."""

from dataclasses import dataclass
from enum import Enum

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


class ShuffledBatchNorm(Enum):
    """`shuffled`: keys are encoded in another order than their queries, over all ranks; `none`: in the same order."""

    shuffled = "shuffled"
    none = "none"


@register(
    target="sslrun.methods.mocov2:MoCoV2",
    paper="He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297",
    reads=("views",),
)
@dataclass(kw_only=True)
class MoCoV2Config(MethodConfig):
    """The queue, the key encoder, and what BatchNorm may reveal.

    Attributes:
        hidden_dim, out_dim: widths of the projector.
        queue_size: keys kept as negatives.
        temperature: tau of eq. 1.
        decay_start, decay_end: of the key encoder, from the first to the last step along a cosine.
        batch_norm: which images share their statistics; over all devices it is trainer.sync_batchnorm, whose null means
            true only with `none`.
        bn_splits: groups of each device's batch that have statistics of their own: several GPUs' worth on one.
        symmetric: both views are query and key.
    """

    kind: str = "mocov2"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    queue_size: int = limited(at_least=1)
    temperature: float = limited(above=0)
    decay_start: float = limited(at_least=0, at_most=1)
    decay_end: float = limited(at_least=0, at_most=1)
    batch_norm: ShuffledBatchNorm = ShuffledBatchNorm.shuffled
    bn_splits: int = limited(1, at_least=1)
    symmetric: bool = False
