"""The base of all datasets of images with captions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.dataset.pairs import PairDatasetConfig
from sslrun.config.dataset.vision import ImageDatasetConfig
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import ImageBatch, PairBatch
from sslrun.data.base import Items
from sslrun.data.labels import digest
from sslrun.data.pairs.items import Captions, PairItems, collate
from sslrun.data.pairs.source import CaptionedImages
from sslrun.data.text.tokenizer import expected_token_inputs, open_tokenizer
from sslrun.data.vision.images import ImageData
from sslrun.data.vision.items import TrainingImages


class PairData(ImageData):
    """A dataset of images with captions; probes and fine-tuning use it as an image dataset.

    Args:
        config: of any kind of such a dataset.
        sources: `train`, and `validation` and `test` if the dataset has them.
        classes: names, or None if train has no labels.

    Raises:
        DataError: as for images, or too many images without a caption.
    """

    def __init__(
        self, config: PairDatasetConfig, sources: Mapping[str, CaptionedImages], *, classes: tuple[str, ...] | None
    ) -> None:
        super().__init__(config, sources, classes=classes)
        self._captions = {name: source.captions for name, source in sources.items()}
        self.fingerprint = digest(self.fingerprint, *(digest(*texts) for texts in self._captions.values()))
        self._max_length = config.max_length
        of_train = [text for texts in self.captions("train") for text in texts]
        self.tokenizer = open_tokenizer(config, of_train)
        self._vocabulary = f"{config.tokenizer} of {self.tokenizer.size:,}"

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """For `PairBatch` the first view, with a random caption of the image in each epoch; else only images."""
        if batch_type is not PairBatch:
            return super().training(augmentation, batch_type=batch_type, seed=seed)
        images = super().training(augmentation, batch_type=ImageBatch, seed=seed)
        captions = Captions(self.captions("train"), self.tokenizer, max_length=self._max_length)
        assert isinstance(images, TrainingImages)
        return PairItems(images, captions, seed=seed)

    def captions(self, split: str) -> list[tuple[str, ...]]:
        """The captions of each image of a split, in the order of its items."""
        part = self._parts[split]
        return [self._captions[part.source][int(i)] for i in part.positions]

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate(items, pad=self.tokenizer.pad)

    def encoder_inputs(self) -> dict[str, Any]:
        """The inputs of an image backbone, and under `text` those of a text backbone."""
        text = self.tokenizer.encoder_inputs(max_length=self._max_length)
        return {**super().encoder_inputs(), "text": {**text, "classes": None}}

    @classmethod
    def expected_inputs(
        cls, config: ImageDatasetConfig, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        assert isinstance(config, PairDatasetConfig)
        images = super().expected_inputs(config, augmentation, batch_type=batch_type)
        return {**(images or {}), "text": {**expected_token_inputs(max_length=config.max_length), "classes": None}}

    def save_inputs(self, folder: Path) -> None:
        self.tokenizer.save(folder, max_length=self._max_length)

    def describe(self) -> dict[str, str]:
        captions = self.captions("train")
        texts = [text for of_image in captions for text in of_image]
        ends = self.tokenizer.encode(texts).ends
        special = len(self.tokenizer.before) + len(self.tokenizer.after)
        longer = float((np.diff(ends, prepend=0) + special > self._max_length).mean())
        lines = super().describe()
        lines["captions"] = (
            f"{len(texts) / len(captions):.3g} an image, {len(set(texts)):,} different in train; "
            f"{self._vocabulary} tokens; {longer:.0%} are longer than {self._max_length}"
        )
        return lines
