"""Files that say which process works on a folder."""

import errno
import fcntl
import os
import re
import sys
import time
import weakref
from pathlib import Path
from typing import IO

NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)
"""What a file system without locks answers: Lustre without `-o flock`, NFS without lockd."""
POLL_SECONDS = 0.05
_taken: "weakref.WeakSet[IO[str]]" = weakref.WeakSet()


class LockedError(Exception):
    """Another process has the lock; the message is which."""


def take_lock(path: Path, *, patience_seconds: float = 0.2, sign: bool = True) -> IO[str]:
    """Take the lock in a file; it is free again when the file is closed or this process gone.

    Where the file system has no locks, that is told on stderr, and work goes on without one.

    Args:
        patience_seconds: how long to wait for it; by default for a look at whether it is locked, which takes
            microseconds.
        sign: whether the file shall say that this process has it.

    Raises:
        LockedError: another process has it.
        OSError: the file cannot be made.
    """
    lock = path.open("a+")
    try:
        _lock(lock, patience_seconds)
    except BlockingIOError as error:
        lock.seek(0)
        holder = lock.read().strip() or "another process"
        lock.close()
        raise LockedError(holder) from error
    except OSError as error:
        if error.errno not in NO_LOCKS:
            lock.close()
            raise
        tell(f"{path.parent}: this file system has no locks ({error.strerror}); see that one process works there only")
    if sign:
        lock.truncate(0)
        lock.write(f"process {os.getpid()} on {os.uname().nodename}")
        lock.flush()
    _taken.add(lock)
    return lock


def is_locked(path: Path) -> bool:
    """Whether a process is seen to have the lock in a file now; on a file system without locks none is."""
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
    """Whether the process that last signed a lock was one of this machine, and is gone."""
    signed = re.fullmatch(r"process (\d+) on (.*)", path.read_text())
    return signed is not None and signed[2] == os.uname().nodename and not is_alive(int(signed[1]))


def is_alive(pid: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return pid > 0


def tell(line: str) -> None:
    """Tell the user at once why something waits, or goes on without a lock."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _lock(lock: IO[str], patience_seconds: float) -> None:
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
        time.sleep(POLL_SECONDS)


def _close_all() -> None:
    """A fork shares its parent's locks: loader workers would hold them for seconds after their trainer was killed."""
    for lock in list(_taken):
        lock.close()


os.register_at_fork(after_in_child=_close_all)
