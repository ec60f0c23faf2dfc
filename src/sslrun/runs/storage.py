"""A disk that is full, read-only or over its quota, told as one line; libraries hide it in errors of their own."""

import errno
import os
import re
from pathlib import Path

from sslrun.config.errors import RunError

REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def storage_error(error: BaseException, path: Path, *, begun: bool = True) -> RunError | None:
    """What the user is told where `error` comes from writing at `path`; None where it is something else.

    Args:
        begun: whether there is a run that may have saved.
    """
    current: BaseException | None = error
    while current is not None:
        reason = _reason(current, path)
        if reason is not None:
            remedy = "; the last checkpoint is intact: mend it, then give the same command again" if begun else ""
            failed = "written" if begun or not isinstance(current, PermissionError) else "read or written"
            return RunError(f"{path} cannot be {failed}: {reason}{remedy}")
        current = current.__cause__ or current.__context__
    return None


def _reason(error: BaseException, path: Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if match := re.search(r"\(os error (\d+)\)", str(error)):  # safetensors
        number = int(match.group(1))
    if number in REASONS:
        return os.strerror(int(number))
    if isinstance(error, PermissionError | NotADirectoryError | FileExistsError) and error.filename:
        return os.strerror(int(error.errno or 0)) if Path(error.filename).is_relative_to(path) else None
    return None
