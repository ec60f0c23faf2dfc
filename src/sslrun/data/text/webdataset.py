"""Texts out of tar files (WebDataset), read and tokenized when they are asked for."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

from sslrun.config.dataset.webdataset import TextWebDatasetConfig
from sslrun.config.schema import AugmentationConfig
from sslrun.data.base import SPLITS, Items
from sslrun.data.folders import cache_folder
from sslrun.data.labels import digest
from sslrun.data.order import Together
from sslrun.data.shards.index import Members
from sslrun.data.shards.labels import open_shards, shard_labels
from sslrun.data.shards.unreadable import ReadableItems, Unreadable, collate_readable
from sslrun.data.splits import split
from sslrun.data.text.items import Blocks
from sslrun.data.text.streamed import Stream, StreamedTokens
from sslrun.data.text.texts import TextData
from sslrun.data.text.tokenizer import TokensOf, open_tokenizer


class TextWebDataset(TextData):
    """Train, and validation and test where their shards are named.

    For blocks of tokens, and for held-out losses, the tokens of a split are counted once, and the counts are kept.
    """

    def __init__(self, config: TextWebDatasetConfig) -> None:
        self.name, self.config, self.corrupt = config.name, config, []
        self._shards = open_shards(config, cache_dir=config.cache_dir)
        self._window = config.shard_window
        members = {name: Members(s, config.text, key="dataset.text") for name, s in self._shards.items()}
        self._texts: dict[str, Sequence[str]] = {name: MemberTexts(m) for name, m in members.items()}
        self.classes, self._labels = shard_labels(self._shards, config, cache_dir=config.cache_dir)
        self.fingerprint = digest(*(f"{n}:{s.fingerprint}" for n, s in self._shards.items()), config.text, config.label)
        self._parts = split(
            {name: len(texts) for name, texts in self._texts.items()},
            self._labels,
            validation=config.validation,
            test_share=config.test_share,
            seed=config.split_seed,
            limit=config.limit,
        )
        self.tokenizer = open_tokenizer(config, self._some_of_train(config.tokenizer_texts))
        folder = cache_folder(config.cache_dir) / "tokens"
        vocabulary = self.tokenizer.backend.to_str()
        self._encoded: dict[str, TokensOf] = {
            name: StreamedTokens(
                texts,
                self.tokenizer,
                folder=folder,
                key=digest(self._shards[name].fingerprint, config.text, vocabulary),
            )
            for name, texts in self._texts.items()
        }
        total = sum(map(len, self._texts.values()))
        self._unreadable = Unreadable(self.corrupt, total=total, max_share=config.max_corrupt)
        self._streams: dict[str, np.ndarray | Stream] = {}

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        items = super().training(augmentation, batch_type=batch_type, seed=seed)
        part = self._parts["train"]
        items.together = self._shards[part.source].together(part.positions, window=self._window)
        if isinstance(items, Blocks):
            items.together = _of_blocks(items, items.together)
        return ReadableItems(items, self._unreadable, stand_in=True)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        items = super().held_out(augmentation, batch_type=batch_type)
        return None if items is None else ReadableItems(items, self._unreadable, stand_in=False)

    def evaluation(self, split: str) -> Items:
        return ReadableItems(super().evaluation(split), self._unreadable, stand_in=False)

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate_readable(items, super().collate)

    def describe(self) -> dict[str, str]:
        sizes = ", ".join(f"{self.size(s):,} {s}" for s in SPLITS)
        known = f"{len(self.classes)} classes" if self.classes else "no labels"
        lines = {
            "dataset": f"{self.name}: {sizes}; {known}",
            "tokens": f"{self.config.tokenizer} of {self.tokenizer.size:,}, made when they are asked for",
            "shards": self._shards["train"].describe(window=self._window),
        }
        if self.corrupt:
            lines["unreadable"] = f"{len(self.corrupt)} texts left out, first: {self.corrupt[0]}"
        return lines

    def _some_of_train(self, count: int) -> list[str]:
        part = self._parts["train"]
        chosen = np.unique(np.linspace(0, len(part) - 1, min(count, len(part))).astype(int))
        return [self._texts[part.source][int(p)] for p in part.positions[chosen]]


class MemberTexts(Sequence[str]):
    """The texts of all shards of a split, each read when it is asked for."""

    def __init__(self, members: Members) -> None:
        self._members = members

    def __len__(self) -> int:
        return len(self._members)

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: Any) -> Any:
        if isinstance(position, slice):
            return [self[i] for i in range(*position.indices(len(self)))]
        return self._members.text(int(position))


def _of_blocks(blocks: Blocks, documents: Together) -> Together:
    """Blocks whose first document lies in one shard."""
    assert isinstance(blocks.stream, Stream)
    bounds = np.concatenate([[0], blocks.stream.ends])[documents.ends] // blocks.length
    bounds = np.minimum(bounds, len(blocks))
    bounds[-1] = len(blocks)
    return Together(bounds.astype(np.int64), documents.window)
