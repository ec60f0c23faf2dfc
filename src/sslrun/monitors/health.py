"""Monitors a pretraining run: representation quality and collapse."""

from typing import Any

import pytorch_lightning as pl

from sslrun.config.monitor import MonitorConfig
from sslrun.core.rows import Row
from sslrun.data.base import Data, Items
from sslrun.methods.base import Method
from sslrun.monitors.check import EarlyStoppingCheck
from sslrun.monitors.collapse import CollapseAlarm
from sslrun.monitors.measurements import Measurements
from sslrun.training.checkpoints import save_best
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of


class Health(EarlyStoppingCheck):
    """Logs `health/*`, and `probe/*` if there are labels, every `monitor.every_epochs`; warns of collapse.

    Attributes:
        stopped: reason for early stopping, or None.
    """

    def __init__(self, config: MonitorConfig, data: Data, dataset: Items, plan: Plan, *, seed: int) -> None:
        self.measurements = Measurements(config, data, dataset, plan, seed=seed)
        has_variance = len(self.measurements.bank) > 1  # False for a single long text
        every_steps = plan.steps_of(config.every_epochs) if has_variance else 0
        super().__init__(plan, every_steps=every_steps, patience=config.patience)
        self.alarm = CollapseAlarm(config)
        self.stopped: str | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As in `EarlyStoppingCheck`; clears `stopped` if the run continues."""
        super().on_train_start(trainer, pl_module)
        self.stopped = self.stopped if self.patience.is_over else None

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Measure, log and warn; save the best checkpoint of labelled runs; stop if patience is over."""
        monitored, score = self.measurements.monitored, None
        if method is not None:
            metrics = self.measurements.measure(method)
            log_now(trainer, metrics)
            score = (metrics[monitored],)
            alarm = self.alarm.check(metrics, step)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**progress_metrics(metrics))
                if alarm is not None:
                    progress.write_line(alarm)
        if self.patience.update(trainer, score) and self.measurements.is_labelled:
            save_best(trainer)
        if self.patience.is_over:
            self.stopped = (
                f"stopped early at step {step} of {self.plan.total_steps}: "
                f"{self.patience.checks_without_improvement} checks without a better {monitored} (monitor.patience)"
            )
            trainer.should_stop = True

    @property
    def warnings(self) -> list[str]:
        """Alarms so far, for run.json."""
        return self.alarm.warnings

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json at the end of the run."""
        return self.measurements.rows(method, encoder=encoder)

    def state_dict(self) -> dict[str, Any]:
        """State for resuming."""
        return {**super().state_dict(), **self.alarm.state_dict(), "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore `state_dict`."""
        super().load_state_dict(state_dict)
        self.alarm.load_state_dict(state_dict)
        self.stopped = state_dict.get("stopped")


def progress_metrics(metrics: dict[str, float]) -> dict[str, str]:
    """Formatted metrics for the progress line."""
    probes = {k.split("/")[1]: f"{metrics[k]:.1%}" for k in ("probe/knn20", "probe/linear") if k in metrics}
    return {**probes, "rank": f"{metrics['health/rankme']:.0f}"}
