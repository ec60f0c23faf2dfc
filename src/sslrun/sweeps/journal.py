"""Optuna's journal file under a lock that dies with its holder, and mended after a crash."""

import fcntl
from pathlib import Path
from typing import IO

from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.storages.journal._file import BaseJournalFileLock  # not among the public names, unlike its two kinds

from sslrun.core.locks import NO_LOCKS

JOURNAL = "study.journal"
"""In a sweep's folder."""


class KernelLock(BaseJournalFileLock):
    """flock: the kernel gives it back when a process is killed, where Optuna's own locks wait for half a minute."""

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
        """Give it back."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def open_journal(path: Path) -> JournalStorage:
    """The storage in a journal file, which is made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = lock_of(path)
    mend(path, lock)
    return JournalStorage(JournalFileBackend(str(path), lock))


def lock_of(path: Path) -> BaseJournalFileLock:
    """The kernel's, or where the file system has none, Optuna's, which is a file's existence."""
    lock = KernelLock(path.with_name(path.name + ".lock"))
    try:
        lock.acquire()
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return JournalFileOpenLock(f"{path}.open")
    lock.release()
    return lock


def mend(path: Path, lock: BaseJournalFileLock) -> None:
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
