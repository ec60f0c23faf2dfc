"""A digest of the content of files; copies have the same one, wherever they are."""

import contextlib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from sslrun.core.atomic import write_text
from sslrun.data.labels import digest

LARGE_BYTES = 4 * 2**30
"""Above this size files are not hashed; their paths, sizes and modification times identify the content."""


def content_digest(root: Path, files: Sequence[str], *, folder: Path) -> str:
    """Hex digest of relative names and bytes; above LARGE_BYTES, of path, sizes and modification times.

    Files are hashed once: the digest is cached in `folder`, keyed by path, sizes and times. A file that cannot be
    opened counts as empty; the error comes when it is read as data.
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
    with contextlib.suppress(OSError):  # not cached, so hashed again next time
        folder.mkdir(parents=True, exist_ok=True)
        write_text(known, found)
    return found


def _status(path: Path) -> tuple[int, int]:
    """Size in bytes and modification time in ns; zeros for a broken link."""
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
