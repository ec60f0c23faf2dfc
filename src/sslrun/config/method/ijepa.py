"""Configuration of I-JEPA."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_interval, check_range, check_transformer
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "ijepa",
    target="sslrun.methods.ijepa:IJEPA",
    paper="Assran et al. 2023, arXiv:2301.08243",
    reads=("images",),
)
@dataclass(kw_only=True)
class IJEPAConfig(MethodConfig):
    """I-JEPA.

    Attributes:
        targets: blocks to predict.
        target_scale, context_scale: smallest and largest share of the image that a block covers.
        target_aspect: smallest and largest height / width of a target, relative to the image's own.
        min_context: share of the image that stays visible at least, once the targets are cut out of the context.
        predictor_dim, predictor_depth, predictor_heads: the predictor's size.
        decay_start: of the target encoder's moving average; rises to 1.
    """

    kind: str = "ijepa"
    targets: int = MISSING
    target_scale: list[float] = MISSING
    target_aspect: list[float] = MISSING
    context_scale: list[float] = MISSING
    min_context: float = MISSING
    predictor_dim: int = MISSING
    predictor_depth: int = MISSING
    predictor_heads: int = MISSING
    decay_start: float = MISSING

    def __post_init__(self) -> None:
        check_range("method.targets", self.targets, at_least=1)
        check_interval("method.target_scale", self.target_scale, above=0, at_most=1)
        check_interval("method.target_aspect", self.target_aspect, above=0)
        check_interval("method.context_scale", self.context_scale, above=0, at_most=1)
        check_range("method.min_context", self.min_context, at_least=0, below=1)
        check_transformer("method.predictor", self.predictor_dim, self.predictor_depth, self.predictor_heads)
        check_range("method.decay_start", self.decay_start, at_least=0, at_most=1)
