"""scikit-learn's handwritten digits with generated captions: the digit, its stroke width and its position."""

import numpy as np

from sslrun.config.dataset.pairs import DigitSentencesConfig
from sslrun.data.pairs.pairs import PairData
from sslrun.data.pairs.source import CaptionedImages
from sslrun.data.vision.digits import digit_sources
from sslrun.data.vision.images import decoder_of

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SENTENCES = (
    "The digit {digit} in {stroke} strokes.",
    "A {stroke} {digit}, and it stands {place}.",
    "Someone wrote the number {digit} by hand.",
    "This {stroke} figure {place} is a {digit}.",
    "A picture of a {digit} that is {place}.",
)
STROKES = ("thin", "plain", "bold")
PLACES = ("to the left", "in the middle", "to the right")


class DigitSentences(PairData):
    """The split of `digits`; five captions per image, shared by images with the same three attributes."""

    def __init__(self, config: DigitSentencesConfig) -> None:
        images, sources = digit_sources(decoder_of(config), name=config.name)
        ink = {name: array.mean(axis=(1, 2)) for name, array in images.items()}  # (N,)
        centre = {name: _centre(array) for name, array in images.items()}  # (N,)
        strokes, places = (np.quantile(values["train"], [1 / 3, 2 / 3]) for values in (ink, centre))
        captioned = {}
        for name, source in sources.items():
            assert source.labels is not None
            facts = zip(source.labels, np.digitize(ink[name], strokes), np.digitize(centre[name], places), strict=True)
            captions = [sentences(WORDS[d], STROKES[s], PLACES[p]) for d, s, p in facts]
            captioned[name] = CaptionedImages(source, captions, source.labels)
        super().__init__(config, captioned, classes=WORDS)


def sentences(digit: str, stroke: str, place: str) -> tuple[str, ...]:
    """The captions of one image."""
    return tuple(text.format(digit=digit, stroke=stroke, place=place) for text in SENTENCES)


def _centre(images: np.ndarray) -> np.ndarray:
    """(N, H, W) -> (N,) mean column, weighted by intensity."""
    columns = images.sum(axis=1, dtype=np.float64)  # (N, W)
    return columns @ np.arange(columns.shape[1]) / columns.sum(axis=1)
