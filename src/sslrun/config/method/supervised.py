"""Configuration of supervised pretraining."""

from dataclasses import dataclass

from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import MethodConfig


@register(target="sslrun.methods.supervised:Supervised", paper="He et al. 2016, arXiv:1512.03385", reads=("images",))
@dataclass(kw_only=True)
class SupervisedConfig(MethodConfig):
    """label_smoothing: share of the target that is spread uniformly over all classes."""

    kind: str = "supervised"
    label_smoothing: float = limited(at_least=0, below=1)
