"""What files hold, as a digest: copies have the same one, wherever they lie."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from sslrun.core.atomic import write_text
from sslrun.data.labels import digest

LARGE_BYTES = 4 * 2**30
"""Sets above this are not read through before they are used; their paths, sizes and times stand for what they hold."""


def content_digest(root: Path, files: Sequence[str], *, folder: Path) -> str:
    """Hex digest of names below `root` and of bytes; of a large set, of its place, sizes and times.

    Files are read once: what was found is kept in `folder` under their place, sizes and times. A file that cannot be
    opened counts as empty; reading it as data tells its name.
    """
    status = [_status(root / file) for file in files]
    seen = digest(str(root.resolve()), *zip(files, status, strict=True))
    if sum(size for size, _ in status) > LARGE_BYTES:
        return seen
    known = folder / f"{seen}.content"
    try:
        return known.read_text(encoding="utf-8")
    except OSError:
        found = digest(*((file, _hash(root / file)) for file in files))
    with contextlib.suppress(OSError):  # then it is found again the next time, which costs time alone
        folder.mkdir(parents=True, exist_ok=True)
        write_text(known, found)
    return found


def _status(path: Path) -> tuple[int, int]:
    """Bytes and time of change in ns; a link to nowhere has neither."""
    try:
        status = path.stat()
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _hash(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).digest()
    except OSError:
        return b""
