"""What each kind of dataset supplies: images by position, and labels."""

from typing import Protocol

import numpy as np

from sslrun.data.labels import digest
from sslrun.data.vision.decode import Decoder


class Source(Protocol):
    """The images of one file, folder or table; read from several threads at once.

    Attributes:
        labels: (N,) int64, or None where there are none.
        fingerprint: hex digest of the content, cheap to take.
        embedded: small and in memory already: no cache file is written.
    """

    labels: np.ndarray | None
    fingerprint: str
    embedded: bool

    def __len__(self) -> int: ...

    def read(self, position: int) -> np.ndarray:
        """(H, W, C) uint8; DataError where it cannot be read."""
        ...

    def name(self, position: int) -> str:
        """For messages and run.json."""
        ...


class ArraySource:
    """Images that are decoded and in memory already.

    Args:
        images: (N, H, W) or (N, H, W, C).
        labels: (N,) int64, or None.
        decoder: makes the asked number of channels of them.
        name: of the whole, for messages.
        embedded: too small for a cache file to be worth it.
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
