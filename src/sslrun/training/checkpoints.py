"""Checkpoints at optimizer-step boundaries, written whole or not at all, and what brings a run back exactly."""

import random
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
import torch.distributed

from sslrun.config.errors import ConfigError
from sslrun.core.atomic import replacing
from sslrun.runs import signals
from sslrun.training.module import Training

LAST = "last.ckpt"
BEST = "best.ckpt"


class Interrupted(Exception):  # noqa: N818  (asked for, no error)
    """The run was asked to stop, has saved, and can be continued."""


class Checkpoints(pl.Callback):
    """Saves every so many steps or minutes, after a signal, at the time limit, and at the end.

    In the middle of an accumulation a checkpoint would lose gradients; therefore only at optimizer-step boundaries.
    The last in the list of callbacks, so that what others did at this step is in the checkpoint.
    """

    def __init__(
        self, folder: Path, *, every_steps: int | None, every_minutes: float | None, max_seconds: float | None
    ) -> None:
        self.folder = folder
        self.every_steps = every_steps
        self.every_seconds = None if every_minutes is None else 60 * every_minutes
        self.max_seconds = max_seconds
        self._started = self._saved_at = time.monotonic()
        self._seen_step = -1
        self._random: list[dict[str, Any]] | None = None
        self._restore: list[dict[str, Any]] | None = None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From here on Ctrl-C saves; Lightning has put its own handlers in place, under which SIGTERM loses the run."""
        self._seen_step = trainer.global_step
        signals.install()
        signals.install_interrupt()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Random states are set here, where nothing draws from them any more before the step."""
        if self._restore is not None and len(self._restore) == trainer.world_size:
            set_random_state(self._restore[trainer.global_rank])
        self._restore = None

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save where it is due; leave where it was asked."""
        step = trainer.global_step
        if step == self._seen_step:
            return
        self._seen_step = step
        now = time.monotonic()
        due = self.every_steps is not None and step % self.every_steps == 0
        if trainer.world_size > 1 and not due and step % 10:
            return  # the clock and signals are agreed on over ranks, which costs a collective
        late = self.every_seconds is not None and now - self._saved_at >= self.every_seconds
        over = self.max_seconds is not None and now - self._started >= self.max_seconds
        stop = _any_rank(trainer, signals.received() is not None or over)
        if stop or _any_rank(trainer, due or late):
            self.save(trainer, LAST)
        if stop:
            received = signals.received()
            raise Interrupted("trainer.max_time is over" if received is None else received.name)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last state, so that a finished run can be extended."""
        signals.restore_interrupt()
        self.save(trainer, LAST)

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Ctrl-C is the program's again."""
        signals.restore_interrupt()

    def save(self, trainer: pl.Trainer, name: str) -> None:
        """Write one checkpoint atomically; all ranks call it. A state that is not finite is never saved."""
        module = trainer.lightning_module
        if isinstance(module, Training) and hasattr(module, "latest"):
            module.check_finite()
        self._random = _gather_objects(trainer, random_state())
        path = self.folder / name
        try:
            if trainer.is_global_zero:
                with replacing(path) as temporary:
                    trainer.save_checkpoint(temporary, weights_only=False)
            else:  # takes part in the collectives and writes nothing
                trainer.save_checkpoint(path, weights_only=False)
        except OSError as error:
            raise ConfigError(
                f"the checkpoint {path} cannot be written: {error.strerror or error}; the one before is intact"
            ) from error
        self._saved_at = time.monotonic()

    def state_dict(self) -> dict[str, Any]:
        """Random states of all ranks."""
        return {"random": self._random}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Kept until the first batch."""
        self._restore = state_dict["random"]


def random_state() -> dict[str, Any]:
    """State of every generator of this process, in types that torch.load(weights_only=True) reads."""
    name, keys, position, has_gauss, gauss = np.random.get_state()
    state = {
        "torch": torch.get_rng_state(),
        "numpy": [str(name), np.asarray(keys).tolist(), int(position), int(has_gauss), float(gauss)],
        "python": random.getstate(),
    }
    return state | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def set_random_state(state: dict[str, Any]) -> None:
    """Inverse of `random_state`."""
    torch.set_rng_state(state["torch"])
    name, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), position, has_gauss, gauss))
    random.setstate(state["python"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])


def parse_max_time(text: str | None) -> float | None:
    """`DD:HH:MM:SS` (or fewer parts, counted from the seconds) -> seconds.

    Raises:
        ConfigError: anything else.
    """
    if text is None:
        return None
    parts = str(text).split(":")
    if len(parts) > 4 or not all(p.isdigit() for p in parts):
        raise ConfigError(f"trainer.max_time must be DD:HH:MM:SS, got {text}")
    return float(sum(int(p) * f for p, f in zip(reversed(parts), (1, 60, 3600, 86400), strict=False)))


def _any_rank(trainer: pl.Trainer, decision: bool) -> bool:
    return bool(trainer.strategy.reduce_boolean_decision(decision, all=False))


def _gather_objects(trainer: pl.Trainer, mine: dict[str, Any]) -> list[dict[str, Any]]:
    if trainer.world_size == 1:
        return [mine]
    states: list[Any] = [None] * trainer.world_size
    torch.distributed.all_gather_object(states, mine)
    return states
