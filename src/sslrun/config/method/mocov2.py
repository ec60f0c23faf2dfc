"""Configuration of MoCo v2."""

from dataclasses import dataclass
from enum import Enum

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


class ShuffledBatchNorm(Enum):
    """`shuffled`: encode keys in another order than their queries, over all ranks; `none`: in the same order."""

    shuffled = "shuffled"
    none = "none"


@register(
    target="sslrun.methods.mocov2:MoCoV2",
    paper="He et al. 2020, arXiv:1911.05722; Chen et al. 2020, arXiv:2003.04297",
    reads=("views",),
)
@dataclass(kw_only=True)
class MoCoV2Config(MethodConfig):
    """MoCo v2.

    Attributes:
        hidden_dim, out_dim: widths of the projector.
        queue_size: number of keys kept as negatives.
        temperature: tau of eq. 1.
        decay_start, decay_end: EMA decay of the key encoder in the first and in the last step, along a cosine.
        batch_norm: shuffling BN. With `none`, trainer.sync_batchnorm=null means true.
        bn_splits: groups of each device's batch with separate BatchNorm statistics, which emulate several GPUs on one.
        symmetric: use each view as query and as key.
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
