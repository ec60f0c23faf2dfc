"""What a further rank died of, left in the run folder for the first, which writes run.json.

The file's name is that of a temporary one: the next session that opens the folder removes what nobody has read.
"""

import contextlib
from pathlib import Path

from sslrun.config.errors import SslrunError
from sslrun.core.atomic import write_text


def leave_error(folder: Path, rank: int, error: BaseException) -> None:
    """Write down what ended this rank; if that cannot be written either, its exit code must do."""
    text = " ".join(str(error).split())
    if not isinstance(error, SslrunError) or not text:
        text = f"{type(error).__name__}: {text}".removesuffix(": ")
    with contextlib.suppress(OSError):
        write_text(_path(folder, rank), text)


def first_error(folder: Path, ranks: range) -> str | None:
    """`rank 1: what it died of`, of the rank that failed first: others may have failed because it did."""
    found = [(path.stat().st_mtime_ns, rank) for rank in ranks if (path := _path(folder, rank)).exists()]
    if not found:
        return None
    rank = min(found)[1]
    return f"rank {rank}: {_path(folder, rank).read_text()}"


def forget_errors(folder: Path, ranks: range) -> None:
    """Remove what was left."""
    for rank in ranks:
        _path(folder, rank).unlink(missing_ok=True)


def _path(folder: Path, rank: int) -> Path:
    return folder / f".error-rank{rank}.tmp"
