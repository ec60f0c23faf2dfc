"""Images from tar files (WebDataset), read in place."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from sslrun.config.dataset.webdataset import WebDatasetConfig
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.base import Items
from sslrun.data.labels import digest
from sslrun.data.shards.index import Members
from sslrun.data.shards.labels import open_shards, shard_labels
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.images import ImageData, decoder_of
from sslrun.data.vision.source import Source


class WebDataset(ImageData):
    """Train, and validation and test if their shards are named; training shuffles a few shards at a time."""

    def __init__(self, config: WebDatasetConfig) -> None:
        self._shards = open_shards(config, cache_dir=config.cache_dir)
        self._window = config.shard_window
        members = {split: Members(s, config.image, key="dataset.image") for split, s in self._shards.items()}
        classes, labels = shard_labels(self._shards, config, cache_dir=config.cache_dir)
        decoder = decoder_of(config)
        images = {split: ShardImages(m, labels[split], decoder=decoder) for split, m in members.items()}
        super().__init__(config, self.sources(images, config), classes=classes)

    def sources(self, images: "dict[str, ShardImages]", config: Any) -> Mapping[str, Source]:
        """The source of each split; subclasses may wrap the images."""
        return images

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        items = super().training(augmentation, batch_type=batch_type, seed=seed)
        part = self._parts["train"]
        items.disk_groups = self._shards[part.source].disk_groups(part.positions, window=self._window)
        return items

    def describe(self) -> dict[str, str]:
        return super().describe() | {"shards": self._shards["train"].describe(window=self._window)}


class ShardImages:
    """Images of all shards of a split."""

    embedded = False

    def __init__(self, members: Members, labels: np.ndarray | None, *, decoder: Decoder) -> None:
        self.labels = labels
        self.fingerprint = digest(members.shards.fingerprint, members.wanted)
        self._members, self._decoder = members, decoder

    def __len__(self) -> int:
        return len(self._members)

    def read(self, position: int) -> np.ndarray:
        data = self._members.read(position)
        try:
            return self._decoder(data, name="")
        except DataError:  # the name needs a lookup in the index, so only for errors
            return self._decoder(data, name=self.name(position))

    def name(self, position: int) -> str:
        return self._members.name(position)
