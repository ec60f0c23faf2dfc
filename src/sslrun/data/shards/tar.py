"""What stands in one tar file, and where."""

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sslrun.config.errors import DataError

BLOCK = 512
KEY_AND_EXTENSION = re.compile(r"^((?:.*/)?[^./][^./]*)[.]([^/]+)$")
"""A sample's key ends at the first dot of the file's name, as in the library webdataset."""
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Contents:
    """Samples of a tar: neighbouring members that share their key.

    Attributes:
        keys: (N,) of the samples.
        extensions: those that occur, lower case.
        sample: (M,) int64, which sample a member is of.
        extension: (M,) int64, positions in `extensions`.
        offset, size: (M,) int64, bytes.
    """

    keys: list[str]
    extensions: list[str]
    sample: np.ndarray
    extension: np.ndarray
    offset: np.ndarray
    size: np.ndarray


def read_contents(path: Path) -> Contents:
    """Read all headers; what stands between them is not read.

    Raises:
        DataError: no plain tar file, one that breaks off, or a sample with the same extension twice.
    """
    keys: list[str] = []
    extensions: dict[str, int] = {}
    rows: list[tuple[int, int, int, int]] = []
    seen: set[str] = set()
    for name, offset, size in _members(path):
        match = KEY_AND_EXTENSION.match(name)
        if match is None:
            continue
        key, extension = match[1], match[2].lower()
        if not keys or keys[-1] != key:
            keys.append(key)
            seen = set()
        if extension in seen:
            raise DataError(f"{path}: sample {key} has two files .{extension}; a sample's files must differ in ending")
        seen.add(extension)
        rows.append((len(keys) - 1, extensions.setdefault(extension, len(extensions)), offset, size))
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return Contents(keys, list(extensions), *columns)


def _members(path: Path) -> list[tuple[str, int, int]]:
    """(name, offset, size) of each regular file."""
    found: list[tuple[str, int, int]] = []
    last = "its beginning"
    try:
        with path.open("rb") as file:
            start = file.read(6)
            kind = next((k for magic, k in COMPRESSED.items() if start.startswith(magic)), None)
            if kind is not None:
                raise DataError(
                    f"{path} is compressed ({kind}), and samples are read at any place of it; decompress it"
                )
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # it would keep them all
                    last = f"member {member.name}"
                    if member.isreg():
                        found.append((member.name, member.offset_data, member.size))
                end = tar.offset
            file.seek(end)
            block = file.read(BLOCK)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path} is broken at or after {last}: {error}") from error
    if block != bytes(BLOCK):
        what = "it breaks off, without the mark of its end" if len(block) < BLOCK else f"no header at byte {end:,}"
        raise DataError(f"{path} is broken at or after {last}: {what}; write it again or leave it out")
    return found
