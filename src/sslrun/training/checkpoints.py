"""Atomic checkpoints at optimizer-step boundaries, and the exact restoring of a run."""

import time
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from lightning_fabric.plugins import TorchCheckpointIO

from sslrun.config.errors import RunError
from sslrun.core.atomic import replacing
from sslrun.core.dist import gather_objects
from sslrun.runs import signals
from sslrun.runs.newest import LAST, keep_previous, remove_old
from sslrun.runs.storage import storage_error
from sslrun.training.loggers import MetricsFile
from sslrun.training.module import Training
from sslrun.training.random_states import random_state, restore_random_state
from sslrun.training.steps import StepCallback

BEST = "best.ckpt"
MAX_STEPS_TO_SYNC = 50
"""Maximum number of steps between two synchronisations of the ranks."""


class Checkpoints(StepCallback):
    """Saves every so many steps or minutes, after a signal, at the time limit, and at the end.

    Ranks synchronise signals and the clock about once a second, or at each step if steps are longer. Only at
    optimizer-step boundaries, because a checkpoint within an accumulation would lose gradients. Must come after every
    stateful callback, so that the checkpoint includes their state after this step.

    Args:
        start: optimizer step that this rank resumes from.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: int,
        every_steps: int | None,
        every_minutes: float | None,
        max_seconds: float | None,
        keep: int = 2,
    ) -> None:
        self.folder, self.start, self.keep = folder, start, keep
        self.every_steps = every_steps
        self.every_seconds = None if every_minutes is None else 60 * every_minutes
        self.max_seconds = max_seconds
        self._started = self._saved_at = time.monotonic()
        self._last_step: int | None = None
        self._synced_step, self._synced_at, self._next_sync = 0, self._started, 0
        self._random: list[dict[str, Any]] | None = None
        self._restore: list[dict[str, Any]] | None = None

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Refuse ranks that would resume from different steps: each has searched for its checkpoint independently."""
        steps = gather_objects(self.start)
        if len(set(steps)) > 1:
            found = ", ".join(f"rank {rank} from step {step}" for rank, step in enumerate(steps))
            raise RunError(
                f"{self.folder}: the ranks see different checkpoints ({found}); run.dir must be on a file system that "
                "all nodes share; if it is, rerun the same command"
            )

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Make Ctrl-C save from here on; reinstall the other handlers, which some Lightning releases replace."""
        super().on_train_start(trainer, pl_module)
        self._synced_step = trainer.global_step
        self._synced_at = time.monotonic()
        if trainer.ckpt_path is not None and Path(trainer.ckpt_path).name == LAST:
            self._last_step = trainer.global_step
        signals.install()
        signals.install_interrupt()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Restore random states here, after which nothing uses them before the step."""
        if self._restore is not None:
            restore_random_state(self._restore, rank=trainer.global_rank, world=trainer.world_size)
        self._restore = None

    def on_step(self, trainer: pl.Trainer, module: pl.LightningModule, step: int) -> None:
        """Save when a checkpoint is due; stop on a signal or at the time limit."""
        due_by_step = self.every_steps is not None and step % self.every_steps == 0
        if trainer.world_size > 1 and not due_by_step and step < self._next_sync:
            return
        now = time.monotonic()
        due_by_time = self.every_seconds is not None and now - self._saved_at >= self.every_seconds
        over = self.max_seconds is not None and now - self._started >= self.max_seconds
        seconds = (now - self._synced_at) / max(1, step - self._synced_step)
        stop, save, seconds = _max_over_ranks(
            trainer, [signals.received() is not None or over, due_by_step or due_by_time, seconds]
        )
        self._synced_step, self._synced_at = step, time.monotonic()
        self._next_sync = step + steps_to_sync(seconds)
        if stop or save:
            self.save(trainer, LAST)
        if stop:
            received = signals.received()
            raise signals.Interrupted("trainer.max_time is over" if received is None else received.name)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save the final state, so that a finished run can be extended."""
        signals.restore_interrupt()
        self.save(trainer, LAST)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Restore the default of Ctrl-C."""
        signals.restore_interrupt()

    def save(self, trainer: pl.Trainer, name: str) -> None:
        """Write one checkpoint atomically; all ranks must call it. Non-finite weights are never saved."""
        module = trainer.lightning_module
        if isinstance(module, Training):
            module.check_weights()
        self._random = gather_objects(random_state())
        if trainer.is_global_zero:
            self._write(trainer, name)
        else:
            trainer.save_checkpoint(self.folder / name, weights_only=False)  # only takes part in the collectives
        if name == LAST:
            self._saved_at = time.monotonic()

    def _write(self, trainer: pl.Trainer, name: str) -> None:
        path = self.folder / name
        try:
            for logger in trainer.loggers:
                if isinstance(logger, MetricsFile):
                    logger.sync()  # rows older than the checkpoint must survive a node failure
            with replacing(path) as temporary:
                trainer.save_checkpoint(temporary, weights_only=False)
                if name == LAST and self.keep > 1 and self._last_step not in (None, trainer.global_step):
                    keep_previous(self.folder, self._last_step)
            if name == LAST:
                self._last_step = trainer.global_step
                remove_old(self.folder, keep=self.keep)
        except Exception as error:
            if (full := storage_error(error, path)) is not None:
                raise full from error
            raise

    def state_dict(self) -> dict[str, Any]:
        """Random states of all ranks."""
        return {"random": self._random}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Keep the random states until the first batch."""
        self._restore = state_dict["random"]


def save_best(trainer: pl.Trainer) -> None:
    """Save this step as the best so far; all ranks must call it."""
    found = next(c for c in trainer.callbacks if isinstance(c, Checkpoints))  # type: ignore[attr-defined]
    found.save(trainer, BEST)


def steps_to_sync(seconds_per_step: float) -> int:
    """Steps until the next synchronisation: about a second, for grace times of a few seconds after a signal."""
    return max(1, min(MAX_STEPS_TO_SYNC, int(1 / max(seconds_per_step, 1e-9))))


class CheckpointFiles(TorchCheckpointIO):
    """Writes directly to the target file; Lightning's own goes through memory and the system's temporary folder."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:
        """Save; disk errors are raised as OSError, or are the cause of torch's error."""
        with Path(path).open("wb") as file:
            torch.save(checkpoint, file)


def _max_over_ranks(trainer: pl.Trainer, values: list[float]) -> list[float]:
    """Elementwise maximum over the ranks."""
    if trainer.world_size == 1:
        return values
    local = torch.tensor([float(v) for v in values], device=trainer.strategy.root_device)
    return list(trainer.strategy.reduce(local, reduce_op="max").tolist())
