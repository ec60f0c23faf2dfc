"""Images decoded once into a memory-mapped uint8 array that workers, ranks and runs share."""

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once, write_json
from sslrun.core.machine import usable_cores
from sslrun.data.labels import digest
from sslrun.data.vision.resize import centre_crop, resize_shorter, with_margin
from sslrun.data.vision.source import Source

log = logging.getLogger(__name__)
VERSION = 1
"""Incremented when decoding or resizing changes, to invalidate old cache files."""
PEEK = 16
"""Images read to determine whether a dataset's images exceed `image_size`."""
CHUNK = 256
"""Images decoded between two writes."""
SLOW = 2.0
"""Seconds after which a progress line appears."""


class Store(Protocol):
    """Provides the images of an opened dataset; `corrupt` maps positions known to be unreadable to reasons."""

    corrupt: dict[int, str]

    def read(self, position: int) -> np.ndarray:
        """(H, W, C) uint8, a copy; DataError if it cannot be read."""
        ...


class OnTheFly:
    """Decodes images on each access, at full size."""

    def __init__(self, source: Source) -> None:
        self.corrupt: dict[int, str] = {}
        self._source = source
        with suppress(DataError):  # recorded when training reads it
            source.read(0)  # opens lazy sources before workers fork, so that they share them

    def read(self, position: int) -> np.ndarray:
        return self._source.read(position)


class InMemory:
    """A small array (N, S, S, C), held by every process."""

    def __init__(self, images: np.ndarray, corrupt: dict[int, str]) -> None:
        self.corrupt = corrupt
        self._images = images

    def read(self, position: int) -> np.ndarray:
        return self._images[position].copy()


class Mapped:
    """A memory-mapped array (N, S, S, C); mapped again after unpickling."""

    def __init__(self, path: Path, corrupt: dict[int, str]) -> None:
        self.corrupt = corrupt
        self._path = path
        self._images = _map(path)

    def read(self, position: int) -> np.ndarray:
        return self._images[position].copy()

    def __getstate__(self) -> dict[str, Any]:
        return {"corrupt": self.corrupt, "_path": self._path}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._images = _map(self._path)


def _map(path: Path) -> np.ndarray:
    # indexing np.memmap itself is ten times slower
    images: np.ndarray = np.load(path, mmap_mode="r").view(np.ndarray)
    return images


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the decoded pixels depend on besides their source; its repr is part of the cache key."""

    image_size: int
    channels: int
    intensity_range: tuple[float, float] | None = None


def decode_in_memory(source: Source, wanted: Wanted) -> InMemory:
    """All images of a small source as one array."""
    side = stored_side(source, image_size=wanted.image_size)
    images = np.zeros((len(source), side, side, wanted.channels), np.uint8)
    return InMemory(images, _decode_into(images, source))


def open_cache(source: Source, wanted: Wanted, *, folder: Path) -> Mapped:
    """Map the decoded images of `source`, decoding them first unless they are cached.

    Raises:
        DataError: the folder is not writable.
    """
    key = digest(VERSION, source.fingerprint, len(source), wanted)
    array, notes = folder / f"{key}.npy", folder / f"{key}.json"
    try:
        make_once(lambda a, n: _write(a, n, source, wanted), array, notes)
    except OSError as error:
        remedy = "say dataset.cache_dir=… or dataset.cache=never"
        raise DataError(f"decoded images cannot be written to {folder}: {error}; {remedy}") from error
    corrupt = json.loads(notes.read_text())["corrupt"]
    return Mapped(array, {int(position): reason for position, reason in corrupt.items()})


def stored_side(source: Source, *, image_size: int) -> int:
    """`image_size` if none of the first images is larger; otherwise with a margin for cropping."""
    for position in range(min(PEEK, len(source))):
        try:
            image = source.read(position)
        except DataError:
            continue  # recorded when all are decoded
        if min(image.shape[:2]) > image_size:
            return with_margin(image_size)
    return image_size


def _write(array: Path, notes: Path, source: Source, wanted: Wanted) -> None:
    log.info("decoding %s images once into %s", f"{len(source):,}", array.parent)
    side = stored_side(source, image_size=wanted.image_size)
    size = (len(source), side, side, wanted.channels)
    images = np.lib.format.open_memmap(array, mode="w+", dtype=np.uint8, shape=size)
    corrupt = _decode_into(images, source)
    images.flush()
    write_json(notes, {"corrupt": corrupt})


def _decode_into(images: np.ndarray, source: Source) -> dict[int, str]:
    """Fill (N, S, S, C); unreadable images stay black, and their positions are returned with reasons."""
    corrupt: dict[int, str] = {}
    side = images.shape[1]

    def decode(position: int) -> None:
        try:
            images[position] = _square(source.read(position), side=side)
        except DataError as error:
            corrupt[position] = str(error)

    with (
        ThreadPoolExecutor(max_workers=min(8, usable_cores())) as pool,
        tqdm(total=len(source), desc="decoding images", unit=" images", delay=SLOW, disable=None, leave=False) as line,
    ):
        for start in range(0, len(source), CHUNK):
            chunk = range(start, min(start + CHUNK, len(source)))
            list(pool.map(decode, chunk))
            line.update(len(chunk))
    return dict(sorted(corrupt.items()))


def _square(image: np.ndarray, *, side: int) -> np.ndarray:
    """The centre square of an image, resized to (side, side, C)."""
    return centre_crop(resize_shorter(image, side=side), side=side)
