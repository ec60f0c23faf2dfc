"""Where each sample of many shards lies: made once for each tar file, and kept."""

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
from sslrun.core.atomic import made_once
from sslrun.data.labels import digest
from sslrun.data.order import Together
from sslrun.data.shards.fields import all_texts, one_text
from sslrun.data.shards.tar import Contents, read_contents

VERSION = 1
"""Raised when what is kept changes, so that old files are not read again."""
SLOW = 2.0
"""Seconds after which a progress line appears."""
OPEN_FILES = 64
"""Shards that a process keeps open."""
FIELD = ":"
"""Between an extension and a field of its JSON: `json:caption`."""


class Shards:
    """Samples of several tar files as one sequence, in the order of files and members.

    Nothing is copied, and of the samples themselves nothing is read before one is asked for.

    Attributes:
        ends: (S,) int64, where each file's samples end.
        fingerprint: of the files' names, sizes and times.
    """

    def __init__(self, files: list[Path], *, folder: Path) -> None:
        """Index what is not indexed yet; `folder` keeps it. DataError where a tar is broken."""
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

    def together(self, positions: np.ndarray, *, window: int) -> Together:
        """Which of some samples, `positions` ascending, lie in one file."""
        return Together(self.ends, window).of(positions)

    def of_shard(self, position: int) -> tuple[int, int]:
        """The file of a sample, and its position there."""
        shard = int(np.searchsorted(self.ends, position, side="right"))
        return shard, position - (int(self.ends[shard - 1]) if shard else 0)

    def contents(self, shard: int) -> Contents:
        """What stands in one file."""
        with np.load(self._path(shard), allow_pickle=False) as kept:
            keys, extensions = (json.loads(bytes(kept[name]).decode()) for name in ("keys", "extensions"))
            return Contents(keys, extensions, *kept["members"])

    def name(self, position: int) -> str:
        """`shard.tar:key`, for messages."""
        shard, inside = self.of_shard(position)
        return f"{self.files[shard].name}:{self.contents(shard).keys[inside]}"

    def describe(self, *, window: int) -> str:
        """For the resolved block."""
        size = sum(f.stat().st_size for f in self.files) / 1e9
        mixed = f"{min(window, len(self.files))} mixed at a time" if len(self.files) > 1 else "mixed as a whole"
        return f"{len(self.files):,} of {size:.3g} GB, read where they lie, {mixed}"

    def _path(self, shard: int) -> Path:
        return self._folder / f"{self._digests[shard]}.npz"

    def _index(self, shard: int) -> int:
        """Number of samples."""
        path = self._path(shard)
        made_once(lambda temporary: self._write(temporary, read_contents(self.files[shard])), path)
        with np.load(path, allow_pickle=False) as kept:
            return int(kept["count"])

    def _write(self, path: Path, found: Contents) -> None:
        keys, extensions = (np.frombuffer(json.dumps(t).encode(), np.uint8) for t in (found.keys, found.extensions))
        members = np.stack([found.sample, found.extension, found.offset, found.size])
        with path.open("wb") as file:
            np.savez(file, count=np.int64(len(found.keys)), members=members, keys=keys, extensions=extensions)


class Members:
    """One file of each sample: the first that it has of some extensions.

    Args:
        wanted: extensions, the first the best; one may name a field of a JSON object: `json:caption`.
        key: of the configuration, for messages.

    Raises:
        DataError: no sample has any of them.
    """

    def __init__(self, shards: Shards, wanted: list[str], *, key: str) -> None:
        self.shards, self.wanted, self.key = shards, wanted, key
        self._offsets = np.zeros(len(shards), dtype=np.int64)
        self._sizes = np.full(len(shards), -1, dtype=np.int64)
        self._choice = np.zeros(len(shards), dtype=np.int16)
        there: set[str] = set()
        for shard in range(len(shards.files)):
            there |= set(self._locate(shard))
        if not (self._sizes >= 0).any():
            names = sorted(there)
            near = did_you_mean(wanted[0].split(FIELD)[0], names)
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
            DataError: the sample has no such file or field, the field holds neither text nor a number, or its shard
                ends before it.
        """
        data, field = self._file(position), self._field(position)
        try:
            return one_text(data, field, key=self.key).encode() if field else data
        except ValueError as error:
            raise DataError(f"{self.name(position)}: {error}") from error

    def text(self, position: int) -> str:
        """The same as text; DataError where it is no UTF-8."""
        try:
            return self.read(position).decode("utf-8")
        except UnicodeDecodeError as error:
            raise DataError(f"{self.name(position)} is no UTF-8: {error}") from error

    def texts(self, position: int) -> tuple[str, ...]:
        """All of a list in JSON; none where the sample has no such file or field, or null there.

        Raises:
            DataError: anything else that is no text and no number, or as of `text`.
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
        """`shard.tar:key.extension`, for messages; without extension where the sample has none of those wanted."""
        sample = self.shards.name(position)
        return f"{sample}.{self.wanted[self._choice[position]]}" if self._sizes[position] >= 0 else sample

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_open": OrderedDict(), "_lock": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state | {"_lock": threading.Lock()})

    def _locate(self, shard: int) -> list[str]:
        """Fill in one file's samples; returns the extensions that it has."""
        found = self.shards.contents(shard)
        start = int(self.shards.ends[shard - 1]) if shard else 0
        for choice in reversed(range(len(self.wanted))):  # the best last, over the others
            extension = self.wanted[choice].split(FIELD)[0].lower()
            if extension in found.extensions:
                rows = found.extension == found.extensions.index(extension)
                at = start + found.sample[rows]
                self._offsets[at], self._sizes[at], self._choice[at] = found.offset[rows], found.size[rows], choice
        return found.extensions

    def _file(self, position: int) -> bytes:
        size = int(self._sizes[position])
        if size < 0:
            raise DataError(f"{self.shards.name(position)} has no .{' or .'.join(self.wanted)}")
        shard, _ = self.shards.of_shard(position)
        with self._lock:  # threads share what is open
            data = os.pread(self._descriptor(shard), size, int(self._offsets[position]))
        if len(data) < size:
            raise DataError(f"{self.name(position)}: {self.shards.files[shard]} has changed while it was read")
        return data

    def _field(self, position: int) -> str:
        """Empty where the file itself is wanted."""
        return self.wanted[self._choice[position]].partition(FIELD)[2]

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
