"""Optuna's journal file under a lock that dies with its holder, and mended after a crash."""

import fcntl
from pathlib import Path
from typing import IO

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import BaseJournalFileLock  # not among the public names, unlike its two kinds


class KernelLock(BaseJournalFileLock):
    """flock: the kernel gives it back when a process is killed, where Optuna's own locks wait for half a minute."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def acquire(self) -> bool:
        """Wait for the lock."""
        file = self._path.open("ab")
        fcntl.flock(file, fcntl.LOCK_EX)
        self._file = file
        return True

    def release(self) -> None:
        """Give it back."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def open_journal(path: Path) -> JournalStorage:
    """The storage in a journal file, which is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = path.with_name(path.name + ".lock")
    mend(path, KernelLock(lock))
    return JournalStorage(JournalFileBackend(str(path), KernelLock(lock)))


def mend(path: Path, lock: KernelLock) -> None:
    """Cut off a last line that a crash left unfinished; Optuna would append to it and lose both."""
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
