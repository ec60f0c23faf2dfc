"""The base of all text datasets (splits, tokenizer, items), and the one for texts in memory."""

import itertools
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from sslrun.config.dataset.text import TextDatasetConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import TokensBatch
from sslrun.data.base import Items
from sslrun.data.labels import ClassesAndLabels, code_labels, digest
from sslrun.data.sources import SourcesData
from sslrun.data.text.corrupt import Corruption
from sslrun.data.text.documents import Documents, without_empty
from sslrun.data.text.items import Blocks, TextItems, collate, stream_of
from sslrun.data.text.streamed import Stream
from sslrun.data.text.tokenizer import Encoded, EncodedTexts, Tokenizer, expected_token_inputs, open_tokenizer

CHECKED_TEXTS = 200
"""Texts of a split checked for whether tokenization is lossless."""


class TextData(SourcesData):
    """A dataset of texts, in memory (`InMemoryTexts`) or read on the fly (`StreamedTexts`).

    Args:
        config: of any kind of text dataset.
        texts: `train`, and `validation` and `test` if the dataset has them.
        coded: classes and the labels of each source.

    Raises:
        DataError: too few items to split.
    """

    config: TextDatasetConfig
    tokenizer: Tokenizer
    _encoded: dict[str, EncodedTexts]
    single, raw = TokensBatch, "tfidf"

    def __init__(self, config: TextDatasetConfig, texts: Mapping[str, Sequence[str]], coded: ClassesAndLabels) -> None:
        self.name, self.config = config.name, config
        self._texts = dict(texts)
        self.cut({name: len(of_source) for name, of_source in texts.items()}, coded)
        self._streams: dict[str, np.ndarray | Stream] = {}

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> Items:
        """Augmented texts for `TokensBatch`, blocks of the token stream for `BlocksBatch`."""
        return self._items("train", augmentation, batch_type=batch_type, seed=seed)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        return self._items("validation", augmentation, batch_type=batch_type, seed=None)

    def evaluation(self, split: str) -> Items:
        """Truncated texts with special tokens."""
        return self._documents(split)

    def texts(self, split: str) -> list[str]:
        """The original texts of a split."""
        part = self._parts[split]
        return [self._texts[part.source][i] for i in part.positions]

    @abstractmethod
    def readable(self, split: str) -> Iterator[tuple[int, str]]:
        """Positions and original texts of a split; unreadable ones are skipped and recorded."""

    def characters(self, split: str) -> int:
        """Number of characters of a split, the denominator of bits per character."""
        return sum(len(text) for _, text in self.readable(split))

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate(items, pad=self.tokenizer.pad)

    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        return nn.Identity()  # tokens need no further preparation

    @classmethod
    def expected_inputs(
        cls, config: TextDatasetConfig, augmentation: AugmentationConfig, *, batch_type: type
    ) -> dict[str, Any] | None:
        return {**expected_token_inputs(max_length=config.max_length), "classes": 2}

    def encoder_inputs(self) -> dict[str, Any]:
        classes = len(self.classes) if self.classes else None
        return {**self.tokenizer.encoder_inputs(max_length=self.config.max_length), "classes": classes}

    def save_inputs(self, folder: Path) -> None:
        self.tokenizer.save(folder, max_length=self.config.max_length)

    def _documents(self, split: str, **options: Any) -> TextItems:
        part = self._parts[split]
        return TextItems(
            self._encoded[part.source],
            part.positions,
            self.labels(split),
            tokenizer=self.tokenizer,
            max_length=self.config.max_length,
            **options,
        )

    def _items(self, split: str, augmentation: AugmentationConfig, *, batch_type: type, seed: int | None) -> Items:
        policy = Corruption(augmentation, self.tokenizer)
        if batch_type is TokensBatch:
            return self._documents(split, policy=policy, seed=seed or 0, windows=seed is None)
        if policy.transforms:
            raise ConfigError(f"augmentation={policy.name}: blocks of tokens take no transforms; set augmentation=none")
        characters = self.characters(split) if seed is None and self._keeps_texts(split) else None
        blocks = Blocks(self._stream(split), length=self.config.max_length, seed=seed, characters=characters)
        if not len(blocks):
            raise DataError(
                f"dataset={self.name}: {split} has {len(blocks.stream):,} tokens, too few for blocks of "
                f"dataset.max_length={self.config.max_length}; choose a smaller one"
            )
        return blocks

    def _keeps_texts(self, split: str) -> bool:
        """Whether tokenization is lossless; if not, the likelihood of tokens is not that of characters."""
        return self.tokenizer.keeps(text for _, text in itertools.islice(self.readable(split), CHECKED_TEXTS))

    def _stream(self, split: str) -> np.ndarray | Stream:
        if split not in self._streams:
            part = self._parts[split]
            encoded, end = self._encoded[part.source], self.tokenizer.end
            if isinstance(encoded, Encoded):
                self._streams[split] = stream_of(encoded, part.positions, end=end)
            else:
                self._streams[split] = Stream(encoded, part.positions, end=end)
        return self._streams[split]


class InMemoryTexts(TextData):
    """Texts in memory, tokenized once.

    Args:
        config: of any kind of text dataset.
        sources: `train`, and `validation` and `test` if the dataset has them.

    Raises:
        DataError: no text, too few texts to split, too many empty ones, or a label that train does not have.
    """

    def __init__(self, config: TextDatasetConfig, sources: Mapping[str, Documents]) -> None:
        read, self.corrupt = without_empty(dict(sources), dataset=config.name, max_share=config.max_corrupt)
        if "validation" not in read and len(read["train"]) == 1 and read["train"].values is None:
            read |= _cut_one(read["train"], share=config.validation)
        coded = code_labels({name: source.values for name, source in read.items()})
        super().__init__(config, {name: source.texts for name, source in read.items()}, coded)
        self.fingerprint = digest(*(f"{n}:{digest(*s.texts, self._labels[n])}" for n, s in read.items()))
        self.tokenizer = open_tokenizer(config, self.texts("train"))
        self._encoded = {name: self.tokenizer.encode(source.texts) for name, source in read.items()}

    def readable(self, split: str) -> Iterator[tuple[int, str]]:
        return enumerate(self.texts(split))

    def describe(self) -> dict[str, str]:
        part = self._parts["train"]
        lengths = self._encoded[part.source].lengths(part.positions)
        longer = float((lengths > self.config.max_length).mean())
        lines = super().describe() | {
            "tokens": f"{self.config.tokenizer} of {self.tokenizer.size:,}, {int(lengths.sum()):,} in train; "
            f"{longer:.0%} of its texts are longer than {self.config.max_length}",
        }
        if self.corrupt:
            lines["empty"] = f"{len(self.corrupt)} texts left out, first: {self.corrupt[0]}"
        return lines


def _cut_one(whole: Documents, *, share: float) -> dict[str, Documents]:
    """Split a single unlabelled text: its end is validation, as is usual for language models."""
    text = whole.texts[0]
    at = len(text) - max(1, round(share * len(text)))
    if at < 1:
        raise DataError(f"{whole.names[0]}: a text of {len(text)} character(s) is too short to cut validation off it")
    halves = {"train": text[:at], "validation": text[at:]}
    return {name: Documents([half], [f"{whole.names[0]}/{name}"]) for name, half in halves.items()}
