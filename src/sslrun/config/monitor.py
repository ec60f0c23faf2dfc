"""Configuration of the monitors."""

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from sslrun.config.node import Node, limited


class OnCollapse(Enum):
    """Action of the collapse alarm."""

    warn = "warn"
    stop = "stop"


@dataclass(kw_only=True)
class MonitorConfig(Node):
    """Checks on a fixed, unaugmented subset during training.

    Attributes:
        every_epochs: epochs between checks; 0 disables them.
        items: training items of the feature bank, and maximum number of validation items.
        patience: checks without a better online linear probe (without labels, RankMe) after which the run stops;
            null never stops early.
        collapse_std: alarm below this per-dimension std, relative to 1/sqrt(D).
        collapse_rank: alarm below this RankMe.
        collapse_checks: consecutive checks below a threshold before the alarm.
    """

    section: ClassVar[str] = "monitor"

    every_epochs: float = limited(1.0, at_least=0)
    items: int = limited(2048, at_least=8)
    patience: int | None = limited(None, at_least=1)
    collapse_std: float = limited(0.05, at_least=0)
    collapse_rank: float = limited(2.0, at_least=0)
    collapse_checks: int = limited(3, at_least=1)
    on_collapse: OnCollapse = OnCollapse.warn
