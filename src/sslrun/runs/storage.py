"""A disk that is full, read-only or over its quota, as one line; libraries hide it in errors of their own."""

import errno
import os
import re
from pathlib import Path

from sslrun.config.errors import RunError

REASONS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG)


def storage_error(error: BaseException, place: str | Path, *, begun: bool = True) -> RunError | None:
    """The message for the user if `error` comes from writing at `place`; None if it has another cause.

    Args:
        place: the path, or words for it if it is not known.
        begun: whether there is a run that may have saved.
    """
    current: BaseException | None = error
    seen: set[int] = set()
    while current is not None and id(current) not in seen:  # `raise error from error` is a cause of itself
        seen.add(id(current))
        reason = _reason(current, place)
        if reason is not None:
            remedy = "; the last checkpoint is intact: mend it, then give the same command again" if begun else ""
            failed = "written" if begun or not isinstance(current, PermissionError) else "read or written"
            return RunError(f"{place} cannot be {failed}: {reason}{remedy}")
        current = current.__cause__ or current.__context__
    return None


def _reason(error: BaseException, place: str | Path) -> str | None:
    number = error.errno if isinstance(error, OSError) else None
    if match := re.search(r"\(os error (\d+)\)", str(error)):  # safetensors
        number = int(match.group(1))
    if number in REASONS:
        return os.strerror(int(number))
    if isinstance(error, PermissionError | NotADirectoryError | FileExistsError) and error.filename:
        return os.strerror(int(error.errno or 0)) if Path(error.filename).is_relative_to(place) else None
    return None
