"""The collapse alarm: features that hardly differ, or span few dimensions."""

from collections.abc import Mapping
from typing import Any

from sslrun.config.errors import TrainingError
from sslrun.config.monitor import MonitorConfig, OnCollapse

REMEDIES = (
    "try a lower optimizer.lr, a longer schedule.warmup_epochs, stronger augmentation, or a larger loader.batch_size"
)


class CollapseAlarm:
    """Raised once, when `monitor.collapse_checks` checks in a row are below one of the limits.

    Attributes:
        warnings: the alarms so far, for run.json.
    """

    def __init__(self, config: MonitorConfig) -> None:
        self.config = config
        self.warnings: list[str] = []
        self._below = 0

    def look(self, numbers: Mapping[str, float], step: int) -> str | None:
        """The alarm, if it is due; TrainingError if it is to stop the run."""
        config = self.config
        low = numbers["health/std"] < config.collapse_std or numbers["health/rankme"] < config.collapse_rank
        self._below = self._below + 1 if low else 0
        if self._below != config.collapse_checks:
            return None
        text = (
            f"collapse at step {step}: std {numbers['health/std']:.3f} (alarm below {config.collapse_std:g}), "
            f"RankMe {numbers['health/rankme']:.2f} (alarm below {config.collapse_rank:g}) for "
            f"{self._below} checks; {REMEDIES}"
        )
        self.warnings.append(text)
        if config.on_collapse is OnCollapse.stop:
            raise TrainingError(text)
        return text

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run continues from."""
        return {"below": self._below, "warnings": self.warnings}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        self._below, self.warnings = state_dict["below"], list(state_dict["warnings"])
