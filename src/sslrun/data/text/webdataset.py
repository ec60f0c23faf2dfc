"""Texts from tar files (WebDataset), read and tokenized on the fly."""

import numpy as np

from sslrun.config.dataset.webdataset import TextWebDatasetConfig
from sslrun.config.schema import AugmentationConfig
from sslrun.data.base import Items
from sslrun.data.labels import digest
from sslrun.data.order import DiskGroups
from sslrun.data.shards.index import Members
from sslrun.data.shards.labels import open_shards, shard_labels
from sslrun.data.text.items import Blocks
from sslrun.data.text.streamed import Stream
from sslrun.data.text.streamed_texts import LazyTexts, StreamedTexts
from sslrun.data.unreadable import ReadableItems


class TextWebDataset(StreamedTexts):
    """Train, and validation and test if their shards are named; training shuffles a few shards at a time."""

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
        disk_groups = self._shards[part.source].disk_groups(part.positions, window=self._window)
        inner = items.items if isinstance(items, ReadableItems) else items
        items.disk_groups = _of_blocks(inner, disk_groups) if isinstance(inner, Blocks) else disk_groups
        return items

    def describe(self) -> dict[str, str]:
        return super().describe() | {"shards": self._shards["train"].describe(window=self._window)}


class MemberTexts(LazyTexts):
    """The texts of all shards of a split."""

    rows: Members

    def read(self, position: int) -> str:
        return self.rows.text(position)


def _of_blocks(blocks: Blocks, documents: DiskGroups) -> DiskGroups:
    """Blocks grouped by the shard of their first document."""
    assert isinstance(blocks.stream, Stream)
    bounds = np.concatenate([[0], blocks.stream.ends])[documents.ends] // blocks.length
    bounds = np.minimum(bounds, len(blocks))
    bounds[-1] = len(blocks)
    return DiskGroups(bounds.astype(np.int64), documents.window)
