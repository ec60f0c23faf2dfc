"""Optuna's journal file, with a lock that is released when its holder dies, and repaired after a crash."""

import fcntl
from pathlib import Path
from typing import IO

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import BaseJournalFileLock  # only its subclasses are public

from sslrun.core.locks import NO_LOCKS

JOURNAL = "study.journal"
"""In a sweep's folder."""


class KernelLock(BaseJournalFileLock):
    """flock, which the kernel releases when a process is killed; Optuna's own locks time out after half a minute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        file = self._path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            file.close()
            raise
        self._file = file
        return True

    def release(self) -> None:
        """Release the lock."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def open_journal(path: Path) -> JournalStorage:
    """Open the storage in a journal file, which is created if absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_of(path)
    repair(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock))


def lock_of(path: Path) -> BaseJournalFileLock:
    """A kernel lock; on a file system without locks, Optuna's lock, which is the existence of a file."""
    lock = KernelLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return JournalFileOpenLock(f"{path}.open")
    lock.release()
    return lock


def repair(path: Path, lock: BaseJournalFileLock) -> None:
    """Truncate an incomplete last line left by a crash; Optuna would append to it and lose both lines."""
    lock.acquire()
    try:
        if not path.exists():
            return
        with path.open("rb+") as file:
            content = file.read()
            if content and not content.endswith(b"\n"):
                file.truncate(content.rfind(b"\n") + 1)
    finally:
        lock.release()
