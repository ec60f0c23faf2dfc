"""Configuration of SwAV."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.swav:SwAV", paper="Caron et al. 2020, arXiv:2006.09882", reads=("views",))
@dataclass(kw_only=True)
class SwAVConfig(MethodConfig):
    """SwAV.

    Attributes:
        hidden_dim, out_dim: widths of the projector.
        output_batch_norm: BatchNorm without affine parameters on the projector's output.
        prototypes: K.
        temperature: tau of eq. 2.
        epsilon, iterations: of Sinkhorn-Knopp.
        queue_size: number of past projections used in the assignment along with the batch; 0 for none.
        queue_start: share of the run after which the queue is used.
        frozen: share of the run, from its start, in which the prototypes are frozen.
    """

    kind: str = "swav"
    hidden_dim: int = limited(at_least=1)
    out_dim: int = limited(at_least=1)
    output_batch_norm: bool = False
    prototypes: int = limited(at_least=2)
    temperature: float = limited(above=0)
    epsilon: float = limited(above=0)
    iterations: int = limited(at_least=1)
    queue_size: int = limited(at_least=0)
    queue_start: float = limited(at_least=0, at_most=1)
    frozen: float = limited(at_least=0, at_most=1)
