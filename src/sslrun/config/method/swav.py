"""Configuration of SwAV."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method", "swav", target="sslrun.methods.swav:SwAV", paper="Caron et al. 2020, arXiv:2006.09882", reads=("views",)
)
@dataclass(kw_only=True)
class SwAVConfig(MethodConfig):
    """SwAV.

    Attributes:
        hidden_dim, out_dim: widths of the projector.
        output_batch_norm: BatchNorm without affine on the projector's output.
        prototypes: K.
        temperature: tau of eq. 2.
        epsilon, iterations: of Sinkhorn-Knopp.
        queue_size: past projections that join the batch in the assignment; 0 for none.
        queue_start: share of the run before they do.
        frozen: share of the run in which the prototypes stand still.
    """

    kind: str = "swav"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    output_batch_norm: bool = False
    prototypes: int = MISSING
    temperature: float = MISSING
    epsilon: float = MISSING
    iterations: int = MISSING
    queue_size: int = MISSING
    queue_start: float = MISSING
    frozen: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.prototypes", self.prototypes, at_least=2)
        check_range("method.temperature", self.temperature, above=0)
        check_range("method.epsilon", self.epsilon, above=0)
        check_range("method.iterations", self.iterations, at_least=1)
        check_range("method.queue_size", self.queue_size, at_least=0)
        check_range("method.queue_start", self.queue_start, at_least=0, at_most=1)
        check_range("method.frozen", self.frozen, at_least=0, at_most=1)
