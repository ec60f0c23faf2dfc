"""Progress: a bar on a terminal, plain lines elsewhere; throughput and data wait."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from tqdm import tqdm

from sslrun.core.console import say
from sslrun.methods.base import StepOutput
from sslrun.training.loggers import log_now
from sslrun.training.module import Training
from sslrun.training.steps import StepCallback

PLAIN_SECONDS = 30.0
"""Interval of plain lines if the output is not a terminal."""


class Progress(StepCallback):
    """Loss, items/s, the fraction of time spent waiting for data, time left, the latest probe number.

    Logs train/loss, train/lr, train/items_per_second, train/data_wait and the method's own values every
    `plan.log_steps` steps. Must be the first callback, and `ClockRestart` the last: the time of the callbacks between
    them, monitors and checkpoints, counts neither as training nor as data wait.
    """

    def __init__(self) -> None:
        self._bar: Any = None
        self._shown: dict[str, str] = {}
        self._step = 0
        self._window_step = 0
        self._window_start = self._step_end = self._started = self._line_at = time.perf_counter()
        self._waited_before = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock and the bar."""
        super().on_train_start(trainer, pl_module)
        assert isinstance(pl_module, Training)
        self._first_step = self._step = self._window_step = trainer.global_step
        self._started = self._window_start = self._step_end = self._line_at = time.perf_counter()
        self._waited_before = _waited(trainer)
        if trainer.is_global_zero and sys.stderr.isatty():
            self._bar = tqdm(
                total=pl_module.plan.total_steps,
                initial=trainer.global_step,
                unit="step",
                dynamic_ncols=True,
                mininterval=0.5,
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}<{remaining}]{postfix}",
            )

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Log and show every `log_steps` optimizer steps."""
        assert isinstance(module, Training)
        self._step = step
        if module.latest is not None and (step % module.plan.log_steps == 0 or step == module.plan.total_steps):
            self._log(trainer, module, module.latest)
        if self._bar is not None:
            self._bar.update(1)
        self._step_end = time.perf_counter()

    def restart_clock(self) -> None:
        """Exclude the time since the end of the step from the throughput."""
        self._window_start += time.perf_counter() - self._step_end

    def show(self, **numbers: str) -> None:
        """Show numbers on the bar until they are replaced; used by monitors."""
        self._shown.update(numbers)

    def write_line(self, text: str) -> None:
        """Write a line, above the bar if there is one."""
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            say(text)

    def _log(self, trainer: pl.Trainer, module: Training, output: StepOutput) -> None:
        loss = float(output.loss.detach())
        elapsed = time.perf_counter() - self._window_start
        rate = (self._step - self._window_step) * module.plan.batch_size / max(elapsed, 1e-9)
        waited = _waited(trainer)
        wait = (waited - self._waited_before) / max(elapsed, 1e-9)
        self._window_step, self._window_start, self._waited_before = self._step, time.perf_counter(), waited
        if not trainer.is_global_zero:
            return
        lr = trainer.optimizers[0].param_groups[0]["lr"]
        numbers = {"train/loss": loss, "train/lr": lr, "train/items_per_second": rate, "train/data_wait": wait}
        log_now(trainer, numbers | {f"train/{k}": float(v) for k, v in output.logs.items()})
        line = {"loss": f"{loss:.4g}", "items/s": f"{rate:.0f}", "wait": f"{wait:.0%}", **self._shown}
        if self._bar is not None:
            self._bar.set_description_str(f"epoch {self._step / module.plan.steps_per_epoch:.1f}", refresh=False)
            self._bar.set_postfix_str(", ".join(f"{k} {v}" for k, v in line.items()), refresh=False)
        else:
            self._plain_line(module, line)

    def _plain_line(self, module: Training, line: dict[str, str]) -> None:
        now, total = time.perf_counter(), module.plan.total_steps
        if (
            now - self._line_at < PLAIN_SECONDS
            and self._step < total
            and self._step - self._first_step > module.plan.log_steps
        ):
            return
        self._line_at = now
        left = (now - self._started) / max(1, self._step - self._first_step) * (total - self._step)
        text = "  ".join(f"{k} {v}" for k, v in line.items())
        self.write_line(
            f"step {self._step}/{total}  epoch {self._step / module.plan.steps_per_epoch:.1f}  {text}  "
            f"left {left / 60:.1f} min"
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the error message starts on a new line."""
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class ClockRestart(StepCallback):
    """Restarts the clock of `Progress`; must be the last callback."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Restart the clock, after all other callbacks."""
        self.progress.restart_clock()


def progress_of(trainer: pl.Trainer) -> Progress | None:
    """The trainer's `Progress`, on which monitors show numbers; None if it has none."""
    return next((c for c in trainer.callbacks if isinstance(c, Progress)), None)  # type: ignore[attr-defined]


def _waited(trainer: pl.Trainer) -> float:
    loader: Any = trainer.train_dataloader  # an ItemLoader
    return float(loader.waited_seconds)
