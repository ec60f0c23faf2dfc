"""Items and batches of text datasets."""

from typing import Any

import numpy as np

from sslrun.core.batch import NO_TARGET
from sslrun.data.base import Items, Key
from sslrun.data.batches import index_and_label, padded
from sslrun.data.randomness import Randomness
from sslrun.data.text.corrupt import Corruption, Tokens, with_special_tokens
from sslrun.data.text.streamed import Stream
from sslrun.data.text.tokenizer import Encoded, EncodedTexts, Tokenizer

MULTIPLE = 8
"""Batches are padded to a multiple of this many tokens."""


class TextItems(Items):
    """Texts of one split: `input_ids`, and `targets` if the policy masks tokens.

    Args:
        encoded: tokens of the source.
        positions: (N,) positions of the split in the source.
        labels: (N,) int64, or None.
        policy: None truncates each text and changes nothing else.
        windows: split long texts into consecutive windows, one item each, instead of one item per text.
    """

    def __init__(
        self,
        encoded: EncodedTexts,
        positions: np.ndarray,
        labels: np.ndarray | None,
        *,
        tokenizer: Tokenizer,
        max_length: int,
        policy: Corruption | None = None,
        seed: int = 0,
        windows: bool = False,
    ) -> None:
        self.encoded, self.positions, self.labels = encoded, positions, labels
        self.tokenizer, self.policy, self.seed = tokenizer, policy, seed
        self.max_tokens = max(1, max_length - len(tokenizer.before) - len(tokenizer.after))
        self.aligned_with_split = not windows
        self.windows = self._cut() if windows else None

    def __len__(self) -> int:
        return len(self.positions) if self.windows is None else len(self.windows)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        at, start = (index, 0) if self.windows is None else self.windows[index]
        ids, starts_word = self.encoded.tokens(int(self.positions[at]))
        tokens = Tokens(ids.astype(np.int64), starts_word)
        if self.windows is not None:
            tokens = tokens.take(slice(start, start + self.max_tokens))
        if self.policy is not None and len(tokens.ids):
            tokens = self.policy(tokens, max_tokens=self.max_tokens, seed=self.seed, epoch=epoch, index=index)
        tokens = with_special_tokens(
            tokens.take(slice(self.max_tokens)), before=self.tokenizer.before, after=self.tokenizer.after
        )
        item: dict[str, Any] = {"input_ids": tokens.ids, "index": index}
        if tokens.targets is not None:
            item["targets"] = tokens.targets
        if self.labels is not None:
            item["label"] = int(self.labels[at])
        return item

    def _cut(self) -> list[tuple[int, int]]:
        lengths = self.encoded.lengths(self.positions).tolist()
        return [(i, start) for i, length in enumerate(lengths) for start in range(0, length, self.max_tokens)]


class Blocks(Items):
    """Blocks of a stream of documents for next-token prediction: `input_ids`, and `targets` shifted by one.

    Training blocks have equal length and a random offset in each epoch; held-out blocks cover the stream, and the last
    one may be shorter.

    Args:
        stream: (T,) ids, or an object that yields slices of them.
        seed: None for held-out blocks.
        characters: of a held-out stream's texts.
    """

    aligned_with_split = False

    def __init__(
        self, stream: np.ndarray | Stream, *, length: int, seed: int | None, characters: int | None = None
    ) -> None:
        self.stream, self.length, self.seed, self.characters = stream, length, seed, characters
        self._randomness = Randomness()

    def __len__(self) -> int:
        if self.seed is None:
            return max(0, -(-(len(self.stream) - 1) // self.length))
        return max(0, (len(self.stream) - self.length) // self.length)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        epoch, index = key
        start = index * self.length + self._offset(epoch)
        piece = self.stream[start : start + self.length + 1].astype(np.int64)
        return {"input_ids": piece[:-1], "targets": piece[1:], "index": index}

    def _offset(self, epoch: int) -> int:
        if self.seed is None:
            return 0
        self._randomness.set(seed=self.seed, epoch=epoch, index=0, view=1)
        return int(self._randomness.numpy.integers(self.length))


def stream_of(encoded: Encoded, positions: np.ndarray, *, end: int) -> np.ndarray:
    """(T,) int32: documents in order, each followed by the end token."""
    pieces = [piece for p in positions for piece in (encoded.tokens(int(p))[0], [end])]
    return np.concatenate(pieces).astype(np.int32)


def collate(items: list[dict[str, Any]], *, pad: int) -> dict[str, Any]:
    """`input_ids`, `attention_mask` and, if present, `targets`, (B, L) each, with `index` and `label` (B,)."""
    longest = max(len(item["input_ids"]) for item in items)
    length = -(-longest // MULTIPLE) * MULTIPLE
    ids = [item["input_ids"] for item in items]
    batch: dict[str, Any] = {
        "input_ids": padded(ids, value=pad, dtype=np.int64, length=length),
        "attention_mask": padded([np.ones(len(row)) for row in ids], value=0, dtype=np.int64, length=length),
    }
    if any("targets" in item for item in items):
        empty = np.empty(0, np.int64)  # for a text without tokens
        targets = [item.get("targets", empty) for item in items]
        batch["targets"] = padded(targets, value=NO_TARGET, dtype=np.int64, length=length)
    return batch | index_and_label(items)
