"""What is watched while a run trains."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sslrun.config.node import Node, limited


class OnCollapse(Enum):
    """What the collapse alarm does."""

    warn = "warn"
    stop = "stop"


@dataclass(kw_only=True)
class MonitorConfig(Node):
    """Checks on a fixed, unaugmented subset while a run trains.

    Attributes:
        every_epochs: epochs between two checks; 0 switches all of them off.
        items: items of the training bank, and at most as many of validation.
        patience: checks without a better online linear probe, or RankMe without labels, after which the run
            ends; null never ends it early.
        collapse_std: alarm below this per-dimension std relative to 1/sqrt(D).
        collapse_rank: alarm below this RankMe.
        collapse_checks: consecutive checks below before the alarm.
    """

    place: ClassVar[str] = "monitor"

    every_epochs: float = limited(1.0, at_least=0)
    items: int = limited(2048, at_least=8)
    patience: int | None = limited(None, at_least=1)
    collapse_std: float = limited(0.05, at_least=0)
    collapse_rank: float = limited(2.0, at_least=0)
    collapse_checks: int = limited(3, at_least=1)
    on_collapse: OnCollapse = OnCollapse.warn
