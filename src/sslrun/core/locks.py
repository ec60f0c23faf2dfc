"""File locks that name the process that holds them."""

import errno
import fcntl
import os
import re
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sslrun.core.console import say

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""Errors of file systems without locks: Lustre without `-o flock`, NFS without lockd."""
POLL_SECONDS = 0.05
_taken: "weakref.WeakSet[IO[str]]" = weakref.WeakSet()


class LockedError(Exception):
    """Another process holds the lock; the message names it."""


def take_lock(path: Path, *, timeout_seconds: float = 0.2, sign: bool = True) -> IO[str]:
    """Acquire the lock on a file; it is released when the file is closed or this process ends.

    On a file system without locks, print a warning and continue without one.

    Args:
        timeout_seconds: the default outlasts `is_locked` in another process, which holds the lock for microseconds.
        sign: whether to write this process's id and host into the file.

    Raises:
        LockedError: another process holds it.
        OSError: the file cannot be created.
    """
    lock = path.open("a+")
    try:
        _lock(lock, timeout_seconds)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "another process"
        lock.close()
        raise LockedError(holder) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            lock.close()
            raise
        say(f"{path.parent}: no locks on this file system ({error.strerror}); run only one process there")
    if sign:
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {os.uname().nodename}")
        lock.flush()
    _taken.add(lock)
    return lock


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Wait for the lock on a file and hold it; the system releases it if this process dies.

    On a file system without locks nothing is locked: two processes may then do the same work.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield


def is_locked(path: Path) -> bool:
    """Whether a process holds the lock on a file; False on a file system without locks."""
    try:
        with path.open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
    return False


def signer_is_dead(path: Path) -> bool:
    """Whether the process that last signed the lock file ran on this machine and has ended."""
    signed = re.fullmatch(r"process (\d+) on (.*)", path.read_text())
    return signed is not None and signed[2] == os.uname().nodename and not is_alive(int(signed[1]))


def is_alive(pid: int) -> bool:
    """Whether a process on this machine is running."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return pid > 0


def _lock(lock: IO[str], timeout_seconds: float) -> None:
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)


def _close_all() -> None:
    """Forks share their parent's locks: loader workers would hold them for seconds after the trainer was killed."""
    for lock in list(_taken):
        lock.close()


os.register_at_fork(after_in_child=_close_all)
