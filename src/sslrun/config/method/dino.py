"""Configuration of DINO."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.dino:DINO", paper="Caron et al. 2021, arXiv:2104.14294", reads=("views",))
@dataclass(kw_only=True)
class DINOConfig(MethodConfig):
    """DINO.

    Attributes:
        hidden_dim, bottleneck_dim, prototypes: widths of the head: two hidden layers, the bottleneck, and K outputs.
        head_batch_norm: BatchNorm in the hidden layers of the head.
        student_temperature: tau_s.
        teacher_temperature: tau_t, after its warm-up.
        teacher_temperature_start: tau_t in the first step.
        teacher_temperature_warmup: share of the run over which tau_t rises.
        center_momentum: m of eq. 4.
        frozen: share of the run, from its start, in which the prototypes are frozen.
        decay_start: lambda, the teacher's initial EMA decay; rises to 1 along a cosine.
    """

    kind: str = "dino"
    hidden_dim: int = limited(at_least=1)
    bottleneck_dim: int = limited(at_least=1)
    prototypes: int = limited(at_least=2)
    head_batch_norm: bool = False
    student_temperature: float = limited(above=0)
    teacher_temperature: float = limited(above=0)
    teacher_temperature_start: float = limited(above=0)
    teacher_temperature_warmup: float = limited(at_least=0, at_most=1)
    center_momentum: float = limited(at_least=0, at_most=1)
    frozen: float = limited(at_least=0, below=1)
    decay_start: float = limited(at_least=0, at_most=1)
