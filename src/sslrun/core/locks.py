"""Files that say which process works on a folder."""

import contextlib
import fcntl
import os
import time
import weakref
from pathlib import Path
from typing import IO

_taken: "weakref.WeakSet[IO[str]]" = weakref.WeakSet()


class LockedError(Exception):
    """Another process has the lock; the message is which."""


def take_lock(path: Path) -> IO[str]:
    """Take the lock in a file; it is free again when the file is closed or this process gone.

    Raises:
        LockedError: another process has it.
        OSError: the file cannot be made.
    """
    lock = path.open("a+")
    try:
        _lock(lock)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "another process"
        lock.close()
        raise LockedError(holder) from error
    lock.truncate(0)
    lock.write(f"process {os.getpid()} on {os.uname().nodename}")
    lock.flush()
    _taken.add(lock)
    return lock


def is_locked(path: Path) -> bool:
    """Whether a process has the lock in a file now."""
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lock(lock: IO[str]) -> None:
    """Lock a file; a look at whether it is locked, which takes microseconds, is waited for."""
    for _ in range(4):
        with contextlib.suppress(BlockingIOError):
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.05)
    return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _close_all() -> None:
    """A fork shares its parent's locks: loader workers would hold them for seconds after their trainer was killed."""
    for lock in list(_taken):
        lock.close()


os.register_at_fork(after_in_child=_close_all)
