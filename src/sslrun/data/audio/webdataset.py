"""Recordings from tar files (WebDataset), read and converted to log-mel on the fly."""

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from sslrun.config.dataset.webdataset import AudioWebDatasetConfig
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.data.audio.audio import AudioData
from sslrun.data.audio.clips import Clips
from sslrun.data.audio.read import read_wave
from sslrun.data.base import Items
from sslrun.data.labels import digest
from sslrun.data.shards.index import Members
from sslrun.data.shards.labels import member_texts, open_shards
from sslrun.data.unreadable import ReadableItems, Unreadable, collate_readable


class AudioWebDataset(AudioData):
    """Train, and validation and test if their shards are named."""

    def __init__(self, config: AudioWebDatasetConfig) -> None:
        self._shards = open_shards(config, cache_dir=config.cache_dir)
        self._window = config.shard_window
        sources = {
            split: Clips(
                StreamedWaves(Members(shards, config.audio, key="dataset.audio"), sample_rate=config.sample_rate),
                (),
                member_texts(shards, config.label, key="dataset.label", cache_dir=config.cache_dir),
                _as_strings(member_texts(shards, config.group, key="dataset.group", cache_dir=config.cache_dir)),
                key=digest(shards.fingerprint, config.audio, config.sample_rate),
            )
            for split, shards in self._shards.items()
        }
        corrupt: list[str] = []
        total = sum(map(len, sources.values()))
        self._unreadable = Unreadable(corrupt, total=total, max_share=config.max_corrupt)
        super().__init__(config, sources, corrupt=corrupt)

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        items = super().training(augmentation, batch_type=batch_type, seed=seed)
        part = self._parts["train"]
        items.disk_groups = self._shards[part.source].disk_groups(part.positions, window=self._window)
        return ReadableItems(items, self._unreadable, stand_in=True)

    def evaluation(self, split: str) -> Items:
        return ReadableItems(super().evaluation(split), self._unreadable, stand_in=False)

    def readable(self, split: str) -> Iterator[tuple[int, np.ndarray]]:
        part = self._parts[split]
        return self._unreadable.readable(self.logmel(part.source).__getitem__, part.positions)

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate_readable(items, super().collate)

    def describe(self) -> dict[str, str]:
        return super().describe() | {"shards": self._shards["train"].describe(window=self._window)}


class StreamedWaves:
    """(n,) int16 of each recording, decoded on each access."""

    def __init__(self, members: Members, *, sample_rate: int) -> None:
        self._members, self._sample_rate = members, sample_rate

    def __len__(self) -> int:
        return len(self._members)

    def __getitem__(self, i: int) -> np.ndarray:
        data = self._members.read(i)
        try:
            return read_wave(io.BytesIO(data), sample_rate=self._sample_rate)
        except DataError:  # the name needs a lookup in the index, so only for errors
            return read_wave(io.BytesIO(data), sample_rate=self._sample_rate, name=self._members.name(i))


def _as_strings(values: np.ndarray | None) -> np.ndarray | None:
    return None if values is None else values.astype(str)
