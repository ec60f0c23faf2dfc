"""metrics.csv, and the other loggers."""

import csv
import importlib.util
import os
import re
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.loggers import Logger, TensorBoardLogger, WandbLogger
from pytorch_lightning.utilities import rank_zero_only

from sslrun.config.errors import ConfigError
from sslrun.config.logger import LoggerConfig, WandbMode
from sslrun.core.atomic import write_text
from sslrun.core.console import say
from sslrun.runs import signals
from sslrun.runs.storage import storage_error

COLUMNS = ("step", "epoch", "seconds", "name", "value")
ROW = re.compile(r"\d+,[\d.]+,[\d.]+,[^,]+,[^,]+")
SECONDS_TO_SEND = 10.0


class MetricsFile(Logger):
    """metrics.csv in long form: step, epoch, seconds, name, value. Appends; Lightning's CSVLogger would overwrite."""

    def __init__(self, path: Path, *, steps_per_epoch: int, seconds_before: float) -> None:
        super().__init__()
        self.path = path
        self.steps_per_epoch = steps_per_epoch
        self._started = time.monotonic() - seconds_before

    name = version = property(lambda self: "csv")

    def rewind(self, step: int) -> None:
        """Drop rows after `step`: a killed run resumes from its checkpoint, which may be older than the last rows."""
        if not self.path.exists():
            write_text(self.path, ",".join(COLUMNS) + "\n")
            return
        lines = self.path.read_text(errors="replace").splitlines()
        whole = [line for line in lines[1:] if ROW.fullmatch(line)]  # not those that a crash cut off
        kept = [line for line in whole if int(line.split(",", 1)[0]) <= step]
        write_text(self.path, "\n".join([",".join(COLUMNS), *kept]) + "\n")
        if kept:  # a killed process recorded its seconds only here
            self._started = min(self._started, time.monotonic() - float(kept[-1].split(",")[2]))

    @rank_zero_only
    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Append one row per value.

        Raises:
            RunError: the disk is full, read-only or over its quota.
        """
        step = int(step or 0)
        seconds = time.monotonic() - self._started
        try:
            with self.path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(
                    (step, f"{step / self.steps_per_epoch:.4f}", f"{seconds:.2f}", name, f"{value:.8g}")
                    for name, value in metrics.items()
                )
        except OSError as error:
            if (full := storage_error(error, self.path)) is not None:
                raise full from error
            raise

    def sync(self) -> None:
        """Flush the rows to disk."""
        if self.path.exists():
            with self.path.open("rb") as file:
                os.fsync(file.fileno())

    @rank_zero_only
    def log_hyperparams(self, params: Any, *args: Any, **kwargs: Any) -> None:
        """Do nothing; the run folder has config.yaml."""


def check_loggers(config: LoggerConfig) -> None:
    """Raise ConfigError if a logger is not installed, or wandb is online without an API key."""
    if config.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("logger.tensorboard=true: not installed; pip install 'sslrun[tensorboard]'")
    if config.wandb is WandbMode.online:
        import wandb

        if not wandb.api.api_key:
            raise ConfigError(
                "logger.wandb=online needs a key: set WANDB_API_KEY or run `wandb login`; or logger.wandb=offline"
            )


def build_loggers(
    config: LoggerConfig, folder: Path, settings: dict[str, Any], metrics: MetricsFile, *, wandb_id: str
) -> list[Logger]:
    """metrics.csv always; tensorboard and wandb as configured.

    Args:
        settings: the run's configuration, for wandb.
        wandb_id: the run's id on wandb; the same after every restart.
    """
    check_loggers(config)
    loggers: list[Logger] = [metrics]
    if config.tensorboard:
        loggers.append(TensorBoardLogger(folder, name="", version="tensorboard"))
    if config.wandb is not None:
        loggers.append(_wandb(config, folder, settings, identity=wandb_id))
    return loggers


def finish_wandb(error: BaseException | None) -> None:
    """Finish this process's wandb run, if it has one; otherwise the next run of a sweep would continue it.

    Args:
        error: that ended the run. After a signal time is short: the process ends after `SECONDS_TO_SEND`, and data not
            sent by then stay in the run folder.
    """
    wandb = sys.modules.get("wandb")
    if wandb is None or wandb.run is None:
        return
    limit = threading.Timer(SECONDS_TO_SEND, _exit_unsent, [wandb.run.dir])
    if isinstance(error, signals.Interrupted):
        limit.start()
    try:
        wandb.finish(exit_code=0 if error is None else 1)
    except Exception as unsent:  # the run itself is unaffected
        warnings.warn(f"wandb did not end: {unsent}", stacklevel=2)
    finally:
        limit.cancel()


def log_now(trainer: pl.Trainer, metrics: dict[str, float]) -> None:
    """Log to all loggers at this optimizer step."""
    for logger in trainer.loggers:
        logger.log_metrics(metrics, step=trainer.global_step)


def _exit_unsent(files: str) -> None:
    say(f"wandb upload incomplete after {SECONDS_TO_SEND:.0f} s; to finish it: wandb sync {Path(files).parent}")
    os._exit(signals.EXIT_CODE)


def _wandb(config: LoggerConfig, folder: Path, settings: dict[str, Any], *, identity: str) -> Logger:
    return WandbLogger(
        project=config.project,
        entity=config.entity,
        tags=list(config.tags),
        name="/".join(folder.parts[-2:]),
        id=identity,
        save_dir=folder,
        offline=config.wandb is not WandbMode.online,
        resume="allow",
        config=settings,
    )
