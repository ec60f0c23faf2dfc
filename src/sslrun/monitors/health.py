"""Is it learning, is it collapsing: the checks of a pretraining run."""

from typing import Any

import pytorch_lightning as pl

from sslrun.config.monitor import MonitorConfig
from sslrun.core.rows import Row
from sslrun.data.base import Data, Items
from sslrun.methods.base import Method
from sslrun.monitors.check import PatientCheck
from sslrun.monitors.collapse import CollapseAlarm
from sslrun.monitors.measurements import Measurements
from sslrun.training.checkpoints import save_best
from sslrun.training.loggers import log_now
from sslrun.training.plan import Plan
from sslrun.training.progress import progress_of


class Health(PatientCheck):
    """Logs `health/*`, and `probe/*` if there are labels, every `monitor.every_epochs`; warns of collapse.

    Attributes:
        measurements: what is logged.
        stopped: why the run ended early, or None.
    """

    def __init__(self, config: MonitorConfig, data: Data, dataset: Items, plan: Plan, *, seed: int) -> None:
        self.measurements = Measurements(config, data, dataset, plan, seed=seed)
        has_spread = len(self.measurements.bank) > 1  # one long text has none
        every_steps = plan.steps_of(config.every_epochs) if has_spread else 0
        super().__init__(plan, every_steps=every_steps, patience=config.patience)
        self.alarm = CollapseAlarm(config)
        self.stopped: str | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """As in `PatientCheck`; a run that goes on is no longer stopped."""
        super().on_train_start(trainer, pl_module)
        self.stopped = self.stopped if self.patience.is_over else None

    def check(self, trainer: pl.Trainer, method: Method | None, step: int) -> None:
        """Measure, show, warn; keep the best of labelled runs, stop if patience is over."""
        watched, score = self.measurements.watched, None
        if method is not None:
            numbers = self.measurements.measure(method)
            log_now(trainer, numbers)
            score = (numbers[watched],)
            alarm = self.alarm.look(numbers, step)
            if (progress := progress_of(trainer)) is not None:
                progress.show(**shown(numbers))
                if alarm is not None:
                    progress.write_line(alarm)
        if self.patience.saw(trainer, score) and self.measurements.is_labelled:
            save_best(trainer)
        if self.patience.is_over:
            self.stopped = (
                f"stopped early at step {step} of {self.plan.total_steps}: {self.patience.without_rise} checks without "
                f"a better {watched} (monitor.patience)"
            )
            trainer.should_stop = True

    @property
    def warnings(self) -> list[str]:
        """The alarms so far, for run.json."""
        return self.alarm.warnings

    def rows(self, method: Method, *, encoder: str) -> list[Row]:
        """Rows of results.json at the end of the run."""
        return self.measurements.rows(method, encoder=encoder)

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run continues from."""
        return {**super().state_dict(), **self.alarm.state_dict(), "stopped": self.stopped}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Inverse of `state_dict`."""
        super().load_state_dict(state_dict)
        self.alarm.load_state_dict(state_dict)
        self.stopped = state_dict.get("stopped")


def shown(numbers: dict[str, float]) -> dict[str, str]:
    """The numbers on the progress line."""
    probes = {k.split("/")[1]: f"{numbers[k]:.1%}" for k in ("probe/knn20", "probe/linear") if k in numbers}
    return {**probes, "rank": f"{numbers['health/rankme']:.0f}"}
