"""Configuration of I-JEPA."""

from dataclasses import dataclass

from sslrun.config.checks import check_interval, check_transformer_width
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.ijepa:IJEPA", paper="Assran et al. 2023, arXiv:2301.08243", reads=("images",))
@dataclass(kw_only=True)
class IJEPAConfig(MethodConfig):
    """I-JEPA.

    Attributes:
        targets: number of target blocks.
        target_scale, context_scale: minimum and maximum share of the image that a block covers.
        target_aspect: minimum and maximum height / width of a target, relative to the image's own.
        min_context: minimum share of the image in the context after removing the targets.
        predictor_dim, predictor_depth, predictor_heads: the predictor's size.
        decay_start: initial EMA decay of the target encoder; rises to 1.
    """

    kind: str = "ijepa"
    targets: int = limited(at_least=1)
    target_scale: list[float] = limited(above=0, at_most=1)
    target_aspect: list[float] = limited(above=0)
    context_scale: list[float] = limited(above=0, at_most=1)
    min_context: float = limited(at_least=0, below=1)
    predictor_dim: int = limited(at_least=4)
    predictor_depth: int = limited(at_least=1)
    predictor_heads: int = limited(at_least=1)
    decay_start: float = limited(at_least=0, at_most=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_interval("method.target_scale", self.target_scale)
        check_interval("method.target_aspect", self.target_aspect)
        check_interval("method.context_scale", self.context_scale)
        check_transformer_width("method.predictor", self.predictor_dim, self.predictor_heads)
