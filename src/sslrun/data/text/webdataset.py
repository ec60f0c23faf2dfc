"""Texts out of tar files (WebDataset), read and tokenized when they are asked for."""

import numpy as np

from sslrun.config.dataset.webdataset import TextWebDatasetConfig
from sslrun.config.schema import AugmentationConfig
from sslrun.data.base import Items
from sslrun.data.labels import digest
from sslrun.data.order import Together
from sslrun.data.shards.index import Members
from sslrun.data.shards.labels import open_shards, shard_labels
from sslrun.data.text.items import Blocks
from sslrun.data.text.outside import Column, StreamedTexts
from sslrun.data.text.streamed import Stream
from sslrun.data.unreadable import ReadableItems


class TextWebDataset(StreamedTexts):
    """Train, and validation and test where their shards are named; training mixes some shards at a time."""

    def __init__(self, config: TextWebDatasetConfig) -> None:
        self._shards = open_shards(config, cache_dir=config.cache_dir)
        self._window = config.shard_window
        texts = {
            name: MemberTexts(Members(shards, config.text, key="dataset.text")) for name, shards in self._shards.items()
        }
        coded = shard_labels(self._shards, config, cache_dir=config.cache_dir)
        keys = {name: digest(shards.fingerprint, config.text, config.label) for name, shards in self._shards.items()}
        super().__init__(config, texts, coded, keys)

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        items = super().training(augmentation, batch_type=batch_type, seed=seed)
        part = self._parts["train"]
        together = self._shards[part.source].together(part.positions, window=self._window)
        inner = items.items if isinstance(items, ReadableItems) else items
        items.together = _of_blocks(inner, together) if isinstance(inner, Blocks) else together
        return items

    def describe(self) -> dict[str, str]:
        return super().describe() | {"shards": self._shards["train"].describe(window=self._window)}


class MemberTexts(Column):
    """The texts of all shards of a split."""

    rows: Members

    def read(self, position: int) -> str:
        return self.rows.text(position)


def _of_blocks(blocks: Blocks, documents: Together) -> Together:
    """Blocks whose first document lies in one shard."""
    assert isinstance(blocks.stream, Stream)
    bounds = np.concatenate([[0], blocks.stream.ends])[documents.ends] // blocks.length
    bounds = np.minimum(bounds, len(blocks))
    bounds[-1] = len(blocks)
    return Together(bounds.astype(np.int64), documents.window)
