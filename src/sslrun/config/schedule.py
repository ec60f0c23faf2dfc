"""Configuration of the learning rate schedule."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sslrun.config.node import Node, limited


class ScheduleShape(Enum):
    """Shape of the learning rate schedule after warm-up."""

    cosine = "cosine"
    linear = "linear"
    constant = "constant"
    step = "step"


@dataclass(kw_only=True)
class ScheduleConfig(Node):
    """Learning rate over a run: linear warm-up, then `shape`.

    Attributes:
        warmup_epochs: length of the warm-up in epochs.
        warmup_share: maximum share of the run for the warm-up, for short runs.
        start: learning rate of the first step, as a fraction of the peak.
        end: learning rate of the last step, as a fraction of the peak (cosine, linear).
        milestones: fractions of the run at which the learning rate is multiplied by `gamma` (step).
    """

    section: ClassVar[str] = "schedule"

    shape: ScheduleShape = ScheduleShape.cosine
    warmup_epochs: float = limited(0.0, at_least=0)
    warmup_share: float = limited(0.1, at_least=0, at_most=1)
    start: float = limited(0.0, at_least=0, at_most=1)
    end: float = limited(0.0, at_least=0, at_most=1)
    milestones: list[float] = limited([0.6, 0.8], above=0, below=1)
    gamma: float = limited(0.1, above=0, at_most=1)
