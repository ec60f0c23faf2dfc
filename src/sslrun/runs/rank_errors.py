"""Errors of ranks above 0, passed through the run folder to rank 0, which writes run.json.

The files are named as temporary files, so that the next session removes those that were never read.
"""

import contextlib
from pathlib import Path

from sslrun.config.errors import SslrunError
from sslrun.core.atomic import write_text


def write_error(folder: Path, rank: int, error: BaseException) -> None:
    """Write the error that ended this rank; if the write fails, only its exit code remains."""
    text = " ".join(str(error).split())
    if not isinstance(error, SslrunError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    with contextlib.suppress(OSError):
        write_text(_path(folder, rank), text)


def first_error(folder: Path, ranks: range) -> str | None:
    """`rank 1: its error`, of the rank that failed first; others may have failed because of it."""
    found = [(path.stat().st_mtime_ns, rank) for rank in ranks if (path := _path(folder, rank)).exists()]
    if not found:
        return None
    rank = min(found)[1]
    return f"rank {rank}: {_path(folder, rank).read_text()}"


def remove_errors(folder: Path, ranks: range) -> None:
    """Remove the files of `write_error`."""
    for rank in ranks:
        _path(folder, rank).unlink(missing_ok=True)


def _path(folder: Path, rank: int) -> Path:
    return folder / f".error-rank{rank}.tmp"
