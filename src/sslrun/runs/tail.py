"""Following the end of a growing file, which may be replaced or truncated meanwhile."""

import os
from pathlib import Path
from typing import IO

from sslrun.runs.job import TAIL_BYTES


class Tail:
    """Lines of a file as they are written; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self._part = b""

    def __enter__(self) -> "Tail":
        return self

    def __exit__(self, *_: object) -> None:
        self.switch_to(self.path)

    def switch_to(self, path: Path) -> None:
        """Close the file and follow another, from its start."""
        if self._file is not None:
            self._file.close()
        self.path, self._file, self._part = path, None, b""

    def last(self, count: int) -> list[str]:
        """The last `count` lines; `new` continues after them."""
        if not self._follow():
            return []
        assert self._file is not None
        size, want = self._file.seek(0, os.SEEK_END), TAIL_BYTES
        while True:
            start = max(0, size - want)
            self._file.seek(start)
            data = self._file.read(size - start)
            if data.count(b"\n") > count or start == 0:
                break
            want *= 4
        *lines, self._part = data.split(b"\n")
        return [_text(line) for line in lines[-count:]] if count else []

    def new(self) -> list[str]:
        """Complete lines written since the last call."""
        if not self._follow():
            return []
        assert self._file is not None
        *lines, self._part = (self._part + self._file.read()).split(b"\n")
        return [_text(line) for line in lines]

    def _follow(self) -> bool:
        """Open the file; if it was replaced, open the new one after their common beginning."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return self._file is not None
        if self._file is None:
            self._file = self.path.open("rb")
        elif stat.st_ino != os.fstat(self._file.fileno()).st_ino:
            old, done = self._file, self._file.tell()
            self._file = self.path.open("rb")
            self._file.seek(_common(old, self._file, done))
            self._part = b""
            old.close()
        elif stat.st_size < self._file.tell():
            self._file.seek(0)
            self._part = b""
        return True


def _common(old: IO[bytes], new: IO[bytes], limit: int) -> int:
    """Length in bytes of the complete lines that both start with, at most `limit`."""
    old.seek(0)
    shared = 0
    for line, other in zip(old, new, strict=False):
        if line != other or shared + len(line) > limit:
            break
        shared += len(line)
    return shared


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")
