"""One run, one folder: opened, locked, resumed, ended."""

import fcntl
import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

from sslrun.config.command import CommandConfig
from sslrun.config.compose import differences, load, plain, save
from sslrun.config.errors import RunError
from sslrun.config.run import OnChange
from sslrun.core.atomic import write_json, write_text
from sslrun.core.rows import SCHEMA_VERSION, Row
from sslrun.runs.manifest import new_manifest, now

MAY_DIFFER = ("run", "logger", "loader.workers", "trainer.max_time", "trainer.checkpoint_minutes")
"""Keys that may change between two sessions of one run without changing its numbers."""


class RunFolder:
    """A run's folder. `path/run.json` is its manifest; see docs/run-folder.md for every file.

    Attributes:
        path: absolute.
        manifest: contents of run.json; `update` writes it.
        resumed: whether the folder held this run before.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], *, resumed: bool, lock: IO[str] | None) -> None:
        self.path = path
        self.manifest = manifest
        self.resumed = resumed
        self._lock = lock
        self._session_start = time.monotonic()
        self._seconds_before = float(manifest["seconds"])

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def encoder(self) -> Path:
        """Folder of the exported encoder."""
        return self.path / "encoder"

    @property
    def name(self) -> str:
        """`<command>/<name>/<time>`, or as much of it as the path has: what tables call this run."""
        return "/".join(self.path.parts[-2:])

    @property
    def finished(self) -> bool:
        """Whether the run has ended as it should."""
        return bool(self.manifest["status"] == "finished")

    def update(self, **fields: Any) -> None:
        """Set fields of run.json and write it."""
        self.manifest.update(fields)
        self.manifest["seconds"] = round(self._seconds_before + time.monotonic() - self._session_start, 1)
        write_json(self.path / "run.json", self.manifest)

    def end(self, status: str, **fields: Any) -> None:
        """Write the final status and give the lock back."""
        self.manifest["sessions"][-1]["stopped"] = now()
        self.manifest["sessions"][-1]["status"] = status
        self.update(status=status, finished=now() if status == "finished" else None, **fields)
        if self._lock is not None:
            self._lock.close()

    def write_rows(self, rows: Iterable[Row]) -> None:
        """Write results.json."""
        write_json(
            self.path / "results.json", {"schema_version": SCHEMA_VERSION, "rows": [row.as_json() for row in rows]}
        )


def open_run(command: str, config: CommandConfig, *, parent: str | None = None) -> RunFolder:
    """Create `config.run.dir`, or open it again if it holds the same run.

    Raises:
        RunError: another process holds the folder; it holds another command's run or another configuration; it
            cannot be written.
    """
    assert config.run.dir is not None
    path = Path(config.run.dir).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = _lock(path)
        try:
            return _open(command, config, path, lock, parent=parent)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise RunError(f"run.dir={path} cannot be written: {error.strerror or error}") from error


def _open(command: str, config: CommandConfig, path: Path, lock: IO[str], *, parent: str | None) -> RunFolder:
    session = {"started": now(), "stopped": None, "status": "running", "pid": os.getpid()}
    if (path / "run.json").exists():
        manifest = read_manifest(path)
        if manifest["command"] != command:
            raise RunError(f"run.dir={path} holds a run of `sslrun {manifest['command']}`; choose another run.dir")
        refuse_changes(command, config, path)
        run = RunFolder(path, manifest, resumed=True, lock=lock)
        if not run.finished:
            manifest["sessions"].append(session)
            run.update(status="running", pid=os.getpid())
        return run
    manifest = new_manifest(command, parent=parent)
    manifest["sessions"].append(session)
    run = RunFolder(path, manifest, resumed=False, lock=lock)
    run.checkpoints.mkdir(exist_ok=True)
    write_text(path / "config.yaml", save(config))
    run.update()
    return run


def refuse_changes(command: str, config: CommandConfig, path: Path) -> None:
    """Raise RunError where the folder's configuration differs in a key that numbers depend on."""
    old = plain(load(command, path / "config.yaml"))
    changed = differences(old, plain(config), ignore=MAY_DIFFER)
    if changed and config.run.on_change is OnChange.refuse:
        raise RunError(
            f"run.dir={path} holds a run of another configuration ({'; '.join(changed)}); "
            "choose another run.dir, or run.on_change=continue"
        )


def read_manifest(path: Path) -> dict[str, Any]:
    """run.json of a folder; RunError where there is none or it cannot be read."""
    try:
        manifest: dict[str, Any] = json.loads((path / "run.json").read_text())
    except FileNotFoundError as error:
        raise RunError(f"{path} is not a run folder: it has no run.json") from error
    except json.JSONDecodeError as error:
        raise RunError(f"{path / 'run.json'} is damaged: {error}") from error
    return manifest


def is_held(path: Path) -> bool:
    """Whether a process works on the folder now."""
    try:
        with (path / ".lock").open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock(path: Path) -> IO[str]:
    lock = (path / ".lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "another process"
        lock.close()
        raise RunError(f"run.dir={path} is in use by {holder}") from error
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {os.uname().nodename}")
    lock.flush()
    return lock
