"""Images out of any source of images, with their captions."""

from collections.abc import Sequence

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.labels import digest
from sslrun.data.vision.source import Source


class Captioned:
    """Some images of a source, each with one caption or more; an image without any cannot be read.

    Args:
        images: the source.
        captions: of each of its images; blank ones are left out.
        labels: (N,) int64 of each of its images, or None.
        positions: (n,) of the images that are taken; None takes all.
    """

    def __init__(
        self,
        images: Source,
        captions: Sequence[Sequence[str]],
        labels: np.ndarray | None = None,
        *,
        positions: np.ndarray | None = None,
    ) -> None:
        self._images = images
        self._positions = np.arange(len(images)) if positions is None else positions
        self.captions = [tuple(text for text in captions[int(i)] if text.strip()) for i in self._positions]
        self.labels = None if labels is None else labels[self._positions]
        self.embedded = images.embedded
        bare = [i for i, texts in enumerate(self.captions) if not texts]
        self.fingerprint = digest(images.fingerprint, self._positions, bare)

    def __len__(self) -> int:
        return len(self._positions)

    def read(self, position: int) -> np.ndarray:
        if not self.captions[position]:
            raise DataError(f"{self.name(position)}: no caption")
        return self._images.read(int(self._positions[position]))

    def name(self, position: int) -> str:
        return self._images.name(int(self._positions[position]))
