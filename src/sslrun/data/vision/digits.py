"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 with values 0 to 16, included in the package."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sslrun.config.dataset.vision import DigitsConfig
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.images import ImageData, decoder_of
from sslrun.data.vision.source import ArraySource

LARGEST = 16
TEST_SHARE = 0.3


class Digits(ImageData):
    """30 % test, stratified with `random_state=0`, the split of published baselines."""

    def __init__(self, config: DigitsConfig) -> None:
        _, sources = digit_sources(decoder_of(config), name="digits")
        super().__init__(config, sources, classes=tuple(str(c) for c in range(10)))


def digit_sources(decoder: Decoder, *, name: str) -> tuple[dict[str, np.ndarray], dict[str, ArraySource]]:
    """(N, 8, 8) uint8 images of train and test, and their sources with labels."""
    data = load_digits()
    images = np.round(data.images * (255 / LARGEST)).astype(np.uint8)  # (N, 8, 8)
    labels = data.target.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
    parts = {"train": train, "test": test}
    sources = {
        split: ArraySource(images[part], labels[part], decoder=decoder, name=f"{name}/{split}", embedded=True)
        for split, part in parts.items()
    }
    return {split: images[part] for split, part in parts.items()}, sources
