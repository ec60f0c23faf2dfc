"""scikit-learn's handwritten digits: 1,797 grey images of 8x8 with values 0 to 16, inside the package."""

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sslrun.config.dataset.vision import DigitsConfig
from sslrun.data.vision.images import ImageData, decoder_of
from sslrun.data.vision.source import ArraySource

LARGEST = 16
TEST_SHARE = 0.3


class Digits(ImageData):
    """30 % test, stratified, by the same call as the baselines that others publish: `random_state=0`."""

    def __init__(self, config: DigitsConfig) -> None:
        data = load_digits()
        images = np.round(data.images * (255 / LARGEST)).astype(np.uint8)  # (N, 8, 8)
        labels = data.target.astype(np.int64)
        train, test = train_test_split(np.arange(len(labels)), test_size=TEST_SHARE, stratify=labels, random_state=0)
        decoder = decoder_of(config)
        sources = {
            name: ArraySource(images[part], labels[part], decoder=decoder, name=f"digits/{name}", embedded=True)
            for name, part in (("train", train), ("test", test))
        }
        super().__init__(config, sources, classes=tuple(str(c) for c in data.target_names))
