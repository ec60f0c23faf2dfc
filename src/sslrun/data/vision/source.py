"""Sources of images and labels, one per file, folder or table."""

from typing import Protocol

import numpy as np

from sslrun.data.labels import digest
from sslrun.data.vision.decode import Decoder


class Source(Protocol):
    """The images of one file, folder or table; must be thread-safe.

    Attributes:
        labels: (N,) int64, or None.
        fingerprint: hex digest of the content, cheap to compute.
        embedded: whether it is small and in memory, so that no cache file is written.
    """

    labels: np.ndarray | None
    fingerprint: str
    embedded: bool

    def __len__(self) -> int: ...

    def read(self, position: int) -> np.ndarray:
        """(H, W, C) uint8; DataError if it cannot be read."""
        ...

    def name(self, position: int) -> str:
        """For messages and run.json."""
        ...


class ArraySource:
    """Decoded images in memory.

    Args:
        images: (N, H, W) or (N, H, W, C).
        labels: (N,) int64, or None.
        decoder: converts types and channels.
        name: of the source, for messages.
        embedded: small enough to need no cache file.
    """

    def __init__(
        self, images: np.ndarray, labels: np.ndarray | None, *, decoder: Decoder, name: str, embedded: bool = False
    ) -> None:
        self.labels = labels
        self.embedded = embedded
        self.fingerprint = digest(images, labels if labels is not None else "unlabelled")
        self._images, self._decoder, self._name = images, decoder, name

    def __len__(self) -> int:
        return len(self._images)

    def read(self, position: int) -> np.ndarray:
        return self._decoder.from_array(self._images[position], name=self.name(position))

    def name(self, position: int) -> str:
        return f"{self._name}[{position}]"
