"""Collapse alarm: features with little variance or low effective rank."""

from collections.abc import Mapping
from typing import Any

from sslrun.config.errors import TrainingError
from sslrun.config.monitor import MonitorConfig, OnCollapse

REMEDIES = (
    "try a lower optimizer.lr, a longer schedule.warmup_epochs, stronger augmentation, or a larger loader.batch_size"
)


class CollapseAlarm:
    """Alarms when `monitor.collapse_checks` consecutive checks are below one of the limits, once per such sequence.

    Attributes:
        warnings: alarms so far, for run.json.
    """

    def __init__(self, config: MonitorConfig) -> None:
        self.config = config
        self.warnings: list[str] = []
        self._below = 0

    def check(self, metrics: Mapping[str, float], step: int) -> str | None:
        """The alarm's message, or None; TrainingError if an alarm should stop the run."""
        config = self.config
        low = metrics["health/std"] < config.collapse_std or metrics["health/rankme"] < config.collapse_rank
        self._below = self._below + 1 if low else 0
        if self._below != config.collapse_checks:
            return None
        text = (
            f"collapse at step {step}: std {metrics['health/std']:.3f} (alarm below {config.collapse_std:g}), "
            f"RankMe {metrics['health/rankme']:.2f} (alarm below {config.collapse_rank:g}) for "
            f"{self._below} checks; {REMEDIES}"
        )
        self.warnings.append(text)
        if config.on_collapse is OnCollapse.stop:
            raise TrainingError(text)
        return text

    def state_dict(self) -> dict[str, Any]:
        """State for resuming."""
        return {"below": self._below, "warnings": self.warnings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        self._below, self.warnings = state_dict["below"], list(state_dict["warnings"])
