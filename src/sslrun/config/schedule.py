"""The learning rate's course over a run."""

from dataclasses import dataclass, field
from enum import Enum

from sslrun.config.checks import check_range


class ScheduleShape(Enum):
    """Course of the learning rate after the warm-up."""

    cosine = "cosine"
    linear = "linear"
    constant = "constant"
    step = "step"


@dataclass(kw_only=True)
class ScheduleConfig:
    """Learning rate over a run: linear warm-up, then `shape`.

    Attributes:
        warmup_epochs: length of the warm-up in epochs.
        warmup_share: share of the run that the warm-up takes at most; a short run keeps most of its steps.
        start: learning rate of the first step, as a fraction of the full one.
        end: learning rate of the last step, as a fraction of the full one (cosine, linear).
        milestones: fractions of the run at which the rate is multiplied by `gamma` (step).
    """

    shape: ScheduleShape = ScheduleShape.cosine
    warmup_epochs: float = 0.0
    warmup_share: float = 0.1
    start: float = 0.0
    end: float = 0.0
    milestones: list[float] = field(default_factory=lambda: [0.6, 0.8])
    gamma: float = 0.1

    def __post_init__(self) -> None:
        check_range("schedule.warmup_epochs", self.warmup_epochs, at_least=0)
        check_range("schedule.warmup_share", self.warmup_share, at_least=0, at_most=1)
        check_range("schedule.start", self.start, at_least=0, at_most=1)
        check_range("schedule.end", self.end, at_least=0, at_most=1)
        check_range("schedule.gamma", self.gamma, above=0, at_most=1)
        for milestone in self.milestones:
            check_range("schedule.milestones", milestone, above=0, below=1)
