"""What happens on this machine when one of several processes of a run dies."""

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
from sslrun.runs.rank_errors import first_error, forget_errors
from sslrun.training.pruning import Pruned

SECONDS_FOR_CAUSE = 5.0
"""In which a process whose end broke a collective here is seen to have ended."""


class Ranks(pl.Callback):
    """Ends the run if another process of it has ended, naming which: a collective could wait for it for ever.

    Under SLURM `srun --kill-on-bad-exit` does this; here it is for the processes that Lightning itself starts.

    Args:
        folder: of the run, where further ranks leave what they died of.
        note: writes into run.json why the run failed, before this process is ended.
        grace_seconds: between the end of a process and that of this one, which may notice by itself.

    Attributes:
        cause: the other process that made this one fail, and what it died of; None if there is none.
    """

    def __init__(self, folder: Path, note: Callable[[str], None], *, grace_seconds: float = 15.0) -> None:
        self.folder, self.note, self.grace_seconds = folder, note, grace_seconds
        self.cause: str | None = None
        self._children: list[Any] = []
        self._over = threading.Event()

    @contextmanager
    def observing(self) -> Iterator[None]:
        """Watch the processes that Lightning starts within, in place of its own observer.

        That one kills this process within 5 seconds of another's end, in the middle of noting what happened.
        """
        name = "_launch_process_observer"
        theirs = getattr(subprocess_script, name, None)
        setattr(subprocess_script, name, self.watch)
        try:
            yield
        finally:
            setattr(subprocess_script, name, theirs)

    def watch(self, children: list[Any]) -> None:
        """Watch from here on: one may die before all have met, which the others would wait for."""
        self._children = list(children)
        if self._children:
            threading.Thread(target=self._watch, name="ranks", daemon=True).start()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Fallback for Lightning releases that spawn ranks differently."""
        if not self._children:
            self.watch(getattr(trainer.strategy.launcher, "procs", []))

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """The others may leave now."""
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Find whether the cause lies in another process, and end those that would wait for this one."""
        self._over.set()
        if not self._children or not isinstance(exception, Exception) or isinstance(exception, Pruned):
            return  # a stop that was asked for: all ranks leave together
        deadline = time.monotonic() + SECONDS_FOR_CAUSE
        while not isinstance(exception, SslrunError) and self.cause is None and time.monotonic() < deadline:
            self.cause = self.failed()
            time.sleep(0.05)
        self._end_others()

    def failed(self) -> str | None:
        """Which process ended and how; None if all are running or have ended well."""
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
        forget_errors(self.folder, range(1, len(self._children) + 1))
