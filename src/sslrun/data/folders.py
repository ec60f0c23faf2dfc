"""Where what is made of data lies, and who may write it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sslrun.config.errors import DataError
from sslrun.core.locks import NO_LOCKS


def cache_folder(configured: str | None) -> Path:
    """`dataset.cache_dir`, else $SSLRUN_CACHE, else ~/.cache/sslrun."""
    if configured:
        return Path(configured).expanduser()
    return Path(os.environ.get("SSLRUN_CACHE") or Path.home() / ".cache" / "sslrun")


def walk(root: Path, *, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, which would leave out what it may not read.

    Raises:
        DataError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error

    return os.walk(root, onerror=refuse, followlinks=followlinks)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes wait for; the system frees it should this one die.

    A file system without locks has none: then two processes may make the same thing, each whole.
    """
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
        yield
