"""What is watched while a run trains."""

from dataclasses import dataclass
from enum import Enum

from sslrun.config.checks import check_range


class OnCollapse(Enum):
    """What the collapse alarm does."""

    warn = "warn"
    stop = "stop"


@dataclass(kw_only=True)
class MonitorConfig:
    """Checks on a fixed, unaugmented subset while a run trains.

    Attributes:
        every_epochs: epochs between two checks; 0 switches all of them off.
        items: items of the training bank, and at most as many of validation.
        patience: checks without a better online linear probe, or RankMe where there are no labels, after which the run
            ends; null never ends it early.
        collapse_std: alarm below this per-dimension std relative to 1/sqrt(D).
        collapse_rank: alarm below this RankMe.
        collapse_checks: consecutive checks below before the alarm.
    """

    every_epochs: float = 1.0
    items: int = 2048
    patience: int | None = None
    collapse_std: float = 0.05
    collapse_rank: float = 2.0
    collapse_checks: int = 3
    on_collapse: OnCollapse = OnCollapse.warn

    def __post_init__(self) -> None:
        check_range("monitor.every_epochs", self.every_epochs, at_least=0)
        check_range("monitor.items", self.items, at_least=8)
        check_range("monitor.patience", self.patience, at_least=1)
        check_range("monitor.collapse_std", self.collapse_std, at_least=0)
        check_range("monitor.collapse_rank", self.collapse_rank, at_least=0)
        check_range("monitor.collapse_checks", self.collapse_checks, at_least=1)
