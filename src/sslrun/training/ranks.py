"""Ending a distributed run when one of its processes on this machine dies."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.strategies.launchers import subprocess_script

from sslrun.config.errors import SslrunError
from sslrun.core.console import say
from sslrun.runs.rank_errors import first_error, remove_errors
from sslrun.training.pruning import Pruned

SECONDS_FOR_CAUSE = 5.0
"""Time to wait for the exit code of a process whose end broke a collective here."""


class Ranks(pl.Callback):
    """Ends the run if another of its processes has ended, and names it: a collective could wait for it forever.

    For processes that Lightning starts; under SLURM `srun --kill-on-bad-exit` does this.

    Args:
        folder: run folder, where other ranks write their errors.
        note: writes the reason for the failure to run.json, before this process ends.
        grace_seconds: time between the end of another process and killing this one, which may fail by itself.

    Attributes:
        cause: the rank that made this one fail, and its error; None if there is none.
    """

    def __init__(self, folder: Path, note: Callable[[str], None], *, grace_seconds: float = 15.0) -> None:
        self.folder, self.note, self.grace_seconds = folder, note, grace_seconds
        self.cause: str | None = None
        self._children: list[Any] = []
        self._over = threading.Event()

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Within, watch the processes that Lightning starts, instead of Lightning's own observer.

        The latter kills this process within 5 seconds of another's end, possibly before the error is recorded.
        """
        name = "_launch_process_observer"
        original = getattr(subprocess_script, name, None)
        setattr(subprocess_script, name, self.watch)
        try:
            yield
        finally:
            setattr(subprocess_script, name, original)

    def watch(self, children: list[Any]) -> None:
        """Start watching, before the process group exists: a process may die before all have joined it."""
        self._children = list(children)
        if self._children:
            threading.Thread(target=self._watch, name="ranks", daemon=True).start()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fallback for Lightning releases that spawn ranks differently."""
        if not self._children:
            self.watch(getattr(trainer.strategy.launcher, "procs", []))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Stop watching: other processes may end now."""
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Find out whether another process caused the error, and kill those that would wait for this one."""
        self._over.set()
        if not self._children or not isinstance(exception, Exception) or isinstance(exception, Pruned):
            return  # requested: all ranks stop together
        deadline = time.monotonic() + SECONDS_FOR_CAUSE
        while not isinstance(exception, SslrunError) and self.cause is None and time.monotonic() < deadline:
            self.cause = self.failed()
            time.sleep(0.05)
        self._end_others()

    def failed(self) -> str | None:
        """The process that failed, and how; None if all are running or have ended successfully."""
        codes = {rank: child.poll() for rank, child in enumerate(self._children, 1)}
        for rank, code in codes.items():
            if code is not None and code < 0:
                remedy = "rerun the same command to resume from the last checkpoint"
                return f"rank {rank} was killed by signal {-code}; {remedy}"
        if (left := first_error(self.folder, range(1, len(codes) + 1))) is not None:
            return left
        ended = [rank for rank, code in codes.items() if code]
        return f"rank {ended[0]} ended with code {codes[ended[0]]}; see its own message above" if ended else None

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            if (failed := self.failed()) is not None:
                if not self._over.wait(self.grace_seconds):
                    self.note(failed)
                    say(f"sslrun: error: {failed}")
                    self._end_others()
                    os._exit(2)
                return

    def _end_others(self) -> None:
        for child in self._children:
            child.kill()
        remove_errors(self.folder, range(1, len(self._children) + 1))
