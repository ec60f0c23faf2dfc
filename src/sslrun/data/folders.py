"""The cache folder, and directory walks that report errors."""

import os
from collections.abc import Iterator
from pathlib import Path

from sslrun.config.errors import DataError


def cache_folder(configured: str | None) -> Path:
    """`dataset.cache_dir`, else $SSLRUN_CACHE, else ~/.cache/sslrun."""
    if configured:
        return Path(configured).expanduser()
    return Path(os.environ.get("SSLRUN_CACHE") or Path.home() / ".cache" / "sslrun")


def walk(root: Path, *, followlinks: bool = False) -> Iterator[tuple[str, list[str], list[str]]]:
    """`os.walk`, but unreadable folders are an error instead of being skipped.

    Raises:
        DataError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        raise DataError(f"{error.filename} cannot be read: {error.strerror}") from error

    return os.walk(root, onerror=refuse, followlinks=followlinks)
