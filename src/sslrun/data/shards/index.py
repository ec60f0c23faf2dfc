"""The index of samples in shards, built once per tar file and cached."""

import json
import os
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once
from sslrun.data.labels import digest
from sslrun.data.order import DiskGroups
from sslrun.data.shards.fields import all_texts, one_text
from sslrun.data.shards.tar import Contents, read_contents

VERSION = 1
"""Incremented when the format changes, to invalidate old cache files."""
SLOW = 2.0
"""Seconds after which a progress line appears."""
OPEN_FILES = 64
"""Maximum number of shards a process keeps open."""
FIELD_SEPARATOR = ":"
"""Separates an extension from a JSON field: `json:caption`."""


class Shards:
    """Samples of several tar files as one sequence, in the order of files and members.

    Samples are not copied, and only read on access.

    Attributes:
        ends: (S,) int64, position after each file's last sample.
        fingerprint: digest of the files' names, sizes and modification times.
    """

    def __init__(self, files: list[Path], *, folder: Path) -> None:
        """Index the files, with `folder` as cache. DataError if a tar is broken."""
        self.files, self._folder = files, folder
        folder.mkdir(parents=True, exist_ok=True)
        self._digests = [digest(VERSION, f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in files]
        self.fingerprint = digest(self._digests)
        line = tqdm(total=len(files), desc="indexing", unit=" shards", delay=SLOW, disable=None, leave=False)
        with line:
            counts = []
            for shard in range(len(files)):
                counts.append(self._index(shard))
                line.update()
        self.ends = np.cumsum(counts, dtype=np.int64)

    def __len__(self) -> int:
        return int(self.ends[-1])

    def disk_groups(self, positions: np.ndarray, *, window: int) -> DiskGroups:
        """Samples grouped by file; `positions` ascending."""
        return DiskGroups(self.ends, window).select(positions)

    def locate(self, position: int) -> tuple[int, int]:
        """(file number, position in the file) of a sample."""
        shard = int(np.searchsorted(self.ends, position, side="right"))
        return shard, position - (int(self.ends[shard - 1]) if shard else 0)

    def contents(self, shard: int) -> Contents:
        """The contents of one file."""
        with np.load(self._path(shard), allow_pickle=False) as kept:
            keys, extensions = (json.loads(bytes(kept[name]).decode()) for name in ("keys", "extensions"))
            return Contents(keys, extensions, *kept["members"])

    def name(self, position: int) -> str:
        """`shard.tar:key`, for messages."""
        shard, inside = self.locate(position)
        return f"{self.files[shard].name}:{self.contents(shard).keys[inside]}"

    def describe(self, *, window: int) -> str:
        """For the resolved block."""
        size = sum(f.stat().st_size for f in self.files) / 1e9
        mixed = f"{min(window, len(self.files))} mixed at a time" if len(self.files) > 1 else "mixed as a whole"
        return f"{len(self.files):,} of {size:.3g} GB, read in place, {mixed}"

    def _path(self, shard: int) -> Path:
        return self._folder / f"{self._digests[shard]}.npz"

    def _index(self, shard: int) -> int:
        """Index one file; returns its number of samples."""
        path = self._path(shard)
        make_once(lambda temporary: self._write(temporary, read_contents(self.files[shard])), path)
        with np.load(path, allow_pickle=False) as kept:
            return int(kept["count"])

    def _write(self, path: Path, found: Contents) -> None:
        keys, extensions = (np.frombuffer(json.dumps(t).encode(), np.uint8) for t in (found.keys, found.extensions))
        members = np.stack([found.sample, found.extension, found.offset, found.size])
        with path.open("wb") as file:
            np.savez(file, count=np.int64(len(found.keys)), members=members, keys=keys, extensions=extensions)


class Members:
    """One member file per sample: that of the first extension in `wanted` that it has.

    Args:
        wanted: extensions in order of preference; may name a field of a JSON object: `json:caption`.
        key: configuration key, for messages.

    Raises:
        DataError: no sample has any of them.
    """

    def __init__(self, shards: Shards, wanted: list[str], *, key: str) -> None:
        self.shards, self.wanted, self.key = shards, wanted, key
        self._offsets = np.zeros(len(shards), dtype=np.int64)
        self._sizes = np.full(len(shards), -1, dtype=np.int64)
        self._choice = np.zeros(len(shards), dtype=np.int16)
        present: set[str] = set()
        for shard in range(len(shards.files)):
            present |= set(self._locate(shard))
        if not (self._sizes >= 0).any():
            names = sorted(present)
            near = did_you_mean(wanted[0].split(FIELD_SEPARATOR)[0], names)
            remedy = f"; {key}=null for none" if key == "dataset.label" else ""
            raise DataError(
                f"{key}={','.join(wanted)}: no sample of {shards.files[0]} has such a file{near}; "
                f"there are {', '.join(names) or 'none'}{remedy}"
            )
        self._open: OrderedDict[int, int] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._sizes)

    def read(self, position: int) -> bytes:
        """The file's bytes, or the field's in UTF-8.

        Raises:
            DataError: the sample has no such file or field, the field holds neither text nor a number, or the shard
                has been truncated.
        """
        data, field = self._file(position), self._field(position)
        try:
            return one_text(data, field, key=self.key).encode() if field else data
        except ValueError as error:
            raise DataError(f"{self.name(position)}: {error}") from error

    def text(self, position: int) -> str:
        """The same as text; DataError if it is not UTF-8."""
        try:
            return self.read(position).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.name(position)} is no UTF-8: {error}") from error

    def texts(self, position: int) -> tuple[str, ...]:
        """All texts of a sample: one, or those of a JSON list; empty if the file or field is missing or null.

        Raises:
            DataError: a value that is neither text nor a number, or as in `text`.
        """
        if self._sizes[position] < 0:
            return ()
        field = self._field(position)
        if not field:
            return (self.text(position),)
        try:
            return all_texts(self._file(position), field, key=self.key)
        except ValueError as error:
            raise DataError(f"{self.name(position)}: {error}") from error

    def name(self, position: int) -> str:
        """`shard.tar:key.extension`, for messages; without extension if the sample has none of those wanted."""
        sample = self.shards.name(position)
        return f"{sample}.{self.wanted[self._choice[position]]}" if self._sizes[position] >= 0 else sample

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.Lock()})

    def _locate(self, shard: int) -> list[str]:
        """Locate the members of one file's samples; returns its extensions."""
        found = self.shards.contents(shard)
        start = int(self.shards.ends[shard - 1]) if shard else 0
        for choice in reversed(range(len(self.wanted))):  # the most preferred last, to overwrite the others
            extension = self.wanted[choice].split(FIELD_SEPARATOR)[0].lower()
            if extension in found.extensions:
                rows = found.extension == found.extensions.index(extension)
                at = start + found.sample[rows]
                self._offsets[at], self._sizes[at], self._choice[at] = found.offset[rows], found.size[rows], choice
        return found.extensions

    def _file(self, position: int) -> bytes:
        size = int(self._sizes[position])
        if size < 0:
            raise DataError(f"{self.shards.name(position)} has no .{' or .'.join(self.wanted)}")
        shard, _ = self.shards.locate(position)
        with self._lock:  # threads share the open files
            data = os.pread(self._descriptor(shard), size, int(self._offsets[position]))
        if len(data) < size:
            raise DataError(f"{self.name(position)}: {self.shards.files[shard]} has changed while it was read")
        return data

    def _field(self, position: int) -> str:
        """The JSON field, or empty for the whole file."""
        return self.wanted[self._choice[position]].partition(FIELD_SEPARATOR)[2]

    def _descriptor(self, shard: int) -> int:
        if shard in self._open:
            self._open.move_to_end(shard)
            return self._open[shard]
        if len(self._open) >= OPEN_FILES:
            os.close(self._open.popitem(last=False)[1])
        try:
            self._open[shard] = os.open(self.shards.files[shard], os.O_RDONLY)
        except OSError as error:
            raise DataError(f"{self.shards.files[shard]} cannot be read: {error}") from error
        return self._open[shard]
