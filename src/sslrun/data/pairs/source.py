"""Images of any source, with their captions."""

from collections.abc import Sequence

import numpy as np

from sslrun.config.errors import DataError
from sslrun.data.labels import digest
from sslrun.data.vision.source import Source


class CaptionedImages:
    """Images of a source, each with at least one caption; an image without captions counts as unreadable.

    Args:
        captions: of all images of the source; blank ones are dropped.
        labels: (N,) int64 of all images of the source, or None.
        positions: (n,) of the images to use; None takes all.
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
        without_caption = [i for i, texts in enumerate(self.captions) if not texts]
        self.fingerprint = digest(images.fingerprint, self._positions, without_caption)

    def __len__(self) -> int:
        return len(self._positions)

    def read(self, position: int) -> np.ndarray:
        if not self.captions[position]:
            raise DataError(f"{self.name(position)}: no caption")
        return self._images.read(int(self._positions[position]))

    def name(self, position: int) -> str:
        return self._images.name(int(self._positions[position]))
