"""Configuration of Barlow Twins."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(
    "method",
    "barlow_twins",
    target="sslrun.methods.barlow_twins:BarlowTwins",
    paper="Zbontar et al. 2021, arXiv:2103.03230",
    reads=("views",),
)
@dataclass(kw_only=True)
class BarlowTwinsConfig(MethodConfig):
    """hidden_dim, out_dim: widths of the projector; off_diagonal: lambda of eq. 1.

    bias_lr_scale: learning rate of biases and norms relative to that of weights.
    joint_views: both views through the encoder in one batch, with common BatchNorm statistics; always if it has none.
    """

    kind: str = "barlow_twins"
    hidden_dim: int = MISSING
    out_dim: int = MISSING
    off_diagonal: float = MISSING
    bias_lr_scale: float = MISSING
    joint_views: bool = MISSING

    def __post_init__(self) -> None:
        check_range("method.hidden_dim", self.hidden_dim, at_least=1)
        check_range("method.out_dim", self.out_dim, at_least=1)
        check_range("method.off_diagonal", self.off_diagonal, at_least=0)
        check_range("method.bias_lr_scale", self.bias_lr_scale, above=0)
