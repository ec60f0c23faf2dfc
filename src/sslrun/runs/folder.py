"""The folder of one run: its lock, its manifest, its end."""

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from sslrun.config.errors import RunError
from sslrun.core.atomic import write_json
from sslrun.core.console import say
from sslrun.core.locks import LockedError, is_locked, take_lock
from sslrun.core.rows import SCHEMA_VERSION, Row
from sslrun.runs.manifest import now
from sslrun.runs.newest import Checkpoint, last_step

LOST_NODE_SECONDS = 300.0
"""How long a job that SLURM restarted waits for a lock: NFS keeps a lost node's locks for its lease time (90 s by
default) and longer."""


class RunFolder:
    """A run's folder. `path/run.json` is its manifest; see docs/run-folder.md for every file.

    Attributes:
        path: absolute.
        manifest: contents of run.json; `update` writes it.
        resumed: whether the run existed before.
        checkpoint: to resume from.
        notes: messages for the user.
    """

    def __init__(
        self,
        path: Path,
        manifest: dict[str, Any],
        *,
        resumed: bool,
        lock: IO[str] | None,
        checkpoint: Checkpoint | None = None,
    ) -> None:
        self.path = path
        self.manifest = manifest
        self.resumed = resumed
        self.checkpoint = checkpoint
        self.notes: list[str] = []
        self._lock = lock
        self._session_start = time.monotonic()
        self._seconds_before = float(manifest["seconds"])

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def finished(self) -> bool:
        """Whether the run has completed."""
        return bool(self.manifest["status"] == "finished")

    def update(self, **fields: Any) -> None:
        """Set fields of run.json and write it."""
        self.manifest.update(fields)
        self.manifest["seconds"] = round(self._seconds_before + time.monotonic() - self._session_start, 1)
        write_json(self.path / "run.json", self.manifest)

    def end(self, status: str, **fields: Any) -> None:
        """Write the final status and release the lock. If the run failed, a write error (a full disk) is ignored."""
        session = self.manifest["sessions"][-1]
        session.update(stopped=now(), status=status, to_step=last_step(self.checkpoints))
        try:
            self.update(status=status, finished=now() if status == "finished" else None, **fields)
        except OSError:
            if status == "finished":
                raise
        finally:
            if self._lock is not None:
                self._lock.close()

    def warnings_with(self, further: Iterable[str]) -> list[str]:
        """Warnings so far and further ones, without duplicates."""
        return list(dict.fromkeys([*self.manifest.get("warnings", []), *further]))

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Write results.json."""
        write_json(
            self.path / "results.json", {"schema_version": SCHEMA_VERSION, "rows": [row.as_json() for row in rows]}
        )


def is_held(path: Path) -> bool:
    """Whether a process holds the folder's lock."""
    return is_locked(path / ".lock")


def hold(path: Path) -> IO[str]:
    """Acquire a folder's lock; it is released when the file is closed or the process ends.

    Raises:
        RunError: another process holds it; in a job that SLURM restarted, still after `LOST_NODE_SECONDS`.
    """
    lock = path / ".lock"
    try:
        try:
            return take_lock(lock)
        except LockedError as holder:
            if int(os.environ.get("SLURM_RESTART_COUNT") or 0) == 0:
                raise
            say(f"run.dir={path} is in use by {holder}, perhaps of a lost node: waiting {LOST_NODE_SECONDS:.0f} s")
            return take_lock(lock, timeout_seconds=LOST_NODE_SECONDS)
    except LockedError as holder:
        raise RunError(f"run.dir={path} is in use by {holder}") from holder
