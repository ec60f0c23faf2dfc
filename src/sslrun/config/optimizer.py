"""Configurations of the optimizers."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from omegaconf import MISSING

from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited
from sslrun.config.registry import register


class LrScaling(Enum):
    """Scaling of the learning rate with the global batch size B: none, lr x B/256, or lr x sqrt(B/256)."""

    none = "none"
    linear = "linear"
    sqrt = "sqrt"


@dataclass(kw_only=True)
class OptimizerConfig(Node):
    """Base of every optimizer's configuration.

    Attributes:
        lr: base learning rate, before `scaling`.
        weight_decay: of tensors with two or more dimensions; none for biases and norms, unless `decay_all`.
        decay_all: apply weight decay, and LARS adaptation, to biases and norms too.
        weight_decay_end: final value of a cosine schedule of `weight_decay`; null keeps it constant.
    """

    section: ClassVar[str] = "optimizer"

    kind: str = MISSING
    lr: float = limited(above=0)
    weight_decay: float = limited(0.0, at_least=0)
    weight_decay_end: float | None = limited(None, at_least=0)
    decay_all: bool = False
    scaling: LrScaling = LrScaling.linear


@register(target="sslrun.training.optimizers:build_sgd", modality="any")
@dataclass(kw_only=True)
class SGDConfig(OptimizerConfig):
    """Stochastic gradient descent with momentum."""

    kind: str = "sgd"
    momentum: float = limited(0.9, at_least=0, below=1)
    nesterov: bool = False


@register(
    target="sslrun.training.optimizers:build_adamw",
    paper="Loshchilov and Hutter 2019, arXiv:1711.05101",
    modality="any",
)
@dataclass(kw_only=True)
class AdamWConfig(OptimizerConfig):
    """Adam with decoupled weight decay."""

    kind: str = "adamw"
    betas: list[float] = limited([0.9, 0.999], at_least=0, below=1)
    eps: float = 1e-8

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.betas) != 2:
            raise ConfigError(f"optimizer.betas must be two numbers, got {list(self.betas)}")


@register(target="sslrun.training.optimizers:build_lars", paper="You et al. 2017, arXiv:1708.03888", modality="any")
@dataclass(kw_only=True)
class LARSConfig(OptimizerConfig):
    """Layer-wise adaptive rate scaling; biases and norms are neither decayed nor adapted.

    Attributes:
        trust: eta, the trust coefficient.
        clip: use min(lr, eta x |w| / |g|) as in LARC, instead of lr x eta x |w| / |g|.
    """

    kind: str = "lars"
    momentum: float = limited(0.9, at_least=0, below=1)
    trust: float = limited(0.001, above=0)
    clip: bool = False
