"""Where what is made of data lies, and who may write it."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_folder(configured: str | None) -> Path:
    """`dataset.cache_dir`, else $SSLRUN_CACHE, else ~/.cache/sslrun."""
    if configured:
        return Path(configured).expanduser()
    return Path(os.environ.get("SSLRUN_CACHE") or Path.home() / ".cache" / "sslrun")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock that other processes wait for; the system frees it should this one die."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
