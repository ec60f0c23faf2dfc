"""One-line errors for full, read-only or over-quota disks, which libraries wrap in errors of their own."""

import errno
import os
import re
from pathlib import Path

from sslrun.config.errors import RunError

REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def storage_error(error: BaseException, path: str | Path, *, begun: bool = True) -> RunError | None:
    """A RunError if `error` was caused by writing to `path`; None if it has another cause.

    Args:
        path: or a description if the path is unknown.
        begun: whether there is a run that may have saved a checkpoint.
    """
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:  # `raise error from error` is a cause of itself
        seen.add(id(current))
        reason = _reason(current, path)
        if reason is not None:
            remedy = "; the last checkpoint is intact: fix the disk, then rerun the same command" if begun else ""
            failed = "written" if begun or not isinstance(current, PermissionError) else "read or written"
            return RunError(f"{path} cannot be {failed}: {reason}{remedy}")
        current = current.__cause__ or current.__context__
    return None


def _reason(error: BaseException, path: str | Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if match := re.search(r"\(os error (\d+)\)", str(error)):  # safetensors
        number = int(match.group(1))
    if number in REASONS:
        return os.strerror(int(number))
    if isinstance(error, PermissionError | NotADirectoryError | FileExistsError) and error.filename:
        return os.strerror(int(error.errno or 0)) if Path(error.filename).is_relative_to(path) else None
    return None
