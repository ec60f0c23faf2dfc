"""The members of one tar file and their offsets."""

import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sslrun.config.errors import DataError

BLOCK = 512
KEY_AND_EXTENSION = re.compile(r"^((?:.*/)?[^./][^./]*)[.]([^/]+)$")
"""A sample's key ends at the first dot of the file name, as in the library webdataset."""
COMPRESSED = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd"}


@dataclass(frozen=True)
class Contents:
    """Samples of a tar file: adjacent members with the same key.

    Attributes:
        keys: one per sample.
        extensions: distinct ones, lower case.
        sample: (M,) int64, sample of each member.
        extension: (M,) int64, indices into `extensions`.
        offset, size: (M,) int64, in bytes.
    """

    keys: list[str]
    extensions: list[str]
    sample: np.ndarray
    extension: np.ndarray
    offset: np.ndarray
    size: np.ndarray


def read_contents(path: Path) -> Contents:
    """Read all headers, but not the files' contents.

    Raises:
        DataError: not an uncompressed tar file, a truncated one, or a sample with the same extension twice.
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
                raise DataError(f"{path} is compressed ({kind}), and samples need random access; decompress it")
            file.seek(0)
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (member := tar.next()) is not None:
                    tar.members = []  # type: ignore[attr-defined]  # else it keeps all members in memory
                    last = f"member {member.name}"
                    if member.isreg():
                        found.append((member.name, member.offset_data, member.size))
                end = tar.offset
            file.seek(end)
            block = file.read(BLOCK)
    except (tarfile.TarError, OSError) as error:
        raise DataError(f"{path} is broken at or after {last}: {error}") from error
    if block != bytes(BLOCK):
        what = "it is truncated: its end marker is missing" if len(block) < BLOCK else f"no header at byte {end:,}"
        raise DataError(f"{path} is broken at or after {last}: {what}; write it again or leave it out")
    return found
