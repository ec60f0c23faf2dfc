"""What happens on this machine when one of several processes of a run dies."""

import os
import sys
import threading
import time
from typing import Any

import pytorch_lightning as pl


class Ranks(pl.Callback):
    """Ends the run where another process of it has ended, naming which: a collective could wait for it for ever.

    Under SLURM `srun --kill-on-bad-exit` does this; here it is for the processes that Lightning itself starts.

    Args:
        grace_seconds: between the end of a process and that of this one, which may notice by itself.
    """

    def __init__(self, *, grace_seconds: float = 15.0) -> None:
        self.grace_seconds = grace_seconds
        self._children: list[Any] = []
        self._over = threading.Event()

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Watch from here on."""
        self._children = list(getattr(trainer.strategy.launcher, "procs", []))
        if self._children:
            threading.Thread(target=self._watch, name="ranks", daemon=True).start()

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The others may leave now."""
        self._over.set()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Say that the cause lies in another process, where it does."""
        self._over.set()
        deadline = time.monotonic() + 2
        while self._children and self.failed() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if (failed := self.failed()) is not None:
            exception.add_note(failed)

    def failed(self) -> str | None:
        """Which process ended and how; None where all go on or have ended well."""
        for rank, child in enumerate(self._children, 1):
            if child.poll() not in (None, 0):
                code = child.returncode
                how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
                return f"rank {rank} {how}; its own message stands before"
        return None

    def _watch(self) -> None:
        while not self._over.wait(1.0):
            if (failed := self.failed()) is not None:
                if not self._over.wait(self.grace_seconds):
                    sys.stderr.write(f"sslrun: error: {failed}\n")
                    sys.stderr.flush()
                    os._exit(1)
                return
