"""Configuration of DINO."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method", "dino", target="sslrun.methods.dino:DINO", paper="Caron et al. 2021, arXiv:2104.14294", reads=("views",)
)
@dataclass(kw_only=True)
class DINOConfig(MethodConfig):
    """What DINO adds.

    Attributes:
        hidden_dim, bottleneck_dim, prototypes: widths of the head: two hidden layers, what meets the prototypes, K.
        head_batch_norm: BatchNorm in the hidden layers of the head.
        student_temperature: tau_s.
        teacher_temperature: tau_t, after its warm-up.
        teacher_temperature_start: tau_t in the first step.
        teacher_temperature_warmup: share of the run in which it rises.
        center_momentum: m of eq. 4.
        frozen: share of the run in which the prototypes rest.
        decay_start: lambda of the teacher, rises to 1 by a cosine.
    """

    kind: str = "dino"
    hidden_dim: int = MISSING
    bottleneck_dim: int = MISSING
    prototypes: int = MISSING
    head_batch_norm: bool = False
    student_temperature: float = MISSING
    teacher_temperature: float = MISSING
    teacher_temperature_start: float = MISSING
    teacher_temperature_warmup: float = MISSING
    center_momentum: float = MISSING
    frozen: float = MISSING
    decay_start: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.bottleneck_dim", self.bottleneck_dim, at_least=1)
        check_range("method.prototypes", self.prototypes, at_least=2)
        check_range("method.student_temperature", self.student_temperature, above=0)
        check_range("method.teacher_temperature", self.teacher_temperature, above=0)
        check_range("method.teacher_temperature_start", self.teacher_temperature_start, above=0)
        check_range("method.teacher_temperature_warmup", self.teacher_temperature_warmup, at_least=0, at_most=1)
        check_range("method.center_momentum", self.center_momentum, at_least=0, at_most=1)
        check_range("method.frozen", self.frozen, at_least=0, below=1)
        check_range("method.decay_start", self.decay_start, at_least=0, at_most=1)
