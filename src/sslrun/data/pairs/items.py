"""Items and batches of images with captions."""

from typing import Any

import numpy as np
import torch

from sslrun.data.base import Items, Key
from sslrun.data.randomness import Randomness
from sslrun.data.text.items import TextItems
from sslrun.data.text.items import collate as collate_texts
from sslrun.data.text.tokenizer import Tokenizer
from sslrun.data.vision.items import TrainingImages
from sslrun.data.vision.items import collate as collate_images

CHOICE = 2**16 - 1
"""View number whose randomness selects a caption; an image's own views count from 0."""


class Captions:
    """The tokenized captions of some images.

    Attributes:
        of_image: positions in `tokens` of each image's captions.
        identity: (T,) int64, equal for captions with equal tokens.
    """

    def __init__(self, captions: list[tuple[str, ...]], tokenizer: Tokenizer, *, max_length: int) -> None:
        texts = [text for of_one in captions for text in of_one]
        self.tokens = token_items(texts, tokenizer, max_length=max_length)
        ends = np.cumsum([len(of_one) for of_one in captions])
        self.of_image = np.split(np.arange(len(texts)), ends[:-1])
        seen: dict[bytes, int] = {}
        self.identity = np.array([seen.setdefault(self.ids(i).tobytes(), len(seen)) for i in range(len(texts))])

    def ids(self, position: int) -> np.ndarray:
        """(L,) int64, including special tokens."""
        ids: np.ndarray = self.tokens[0, position]["input_ids"]
        return ids


class PairItems(Items):
    """`image`, augmented, and `input_ids` of one of its captions; `caption` is equal for equal captions.

    Args:
        captions: of the images, by position in the split.
        seed: the caption drawn depends on (seed, epoch, position).
    """

    def __init__(self, images: TrainingImages, captions: Captions, *, seed: int) -> None:
        self.images, self.captions, self.seed = images, captions, seed
        self._randomness = Randomness()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        item = self.images[key]
        index = item["index"]  # differs from the key if that image was unreadable
        choices = self.captions.of_image[index]
        self._randomness.set(seed=self.seed, epoch=key[0], index=index, view=CHOICE)
        chosen = int(choices[self._randomness.numpy.integers(len(choices))])
        return {**item, "input_ids": self.captions.ids(chosen), "caption": int(self.captions.identity[chosen])}

    def note_corrupt(self, positions: list[int]) -> None:
        self.images.note_corrupt(positions)


def token_items(texts: list[str], tokenizer: Tokenizer, *, max_length: int) -> TextItems:
    """Truncated texts with special tokens, unlabelled."""
    return TextItems(tokenizer.encode(texts), np.arange(len(texts)), None, tokenizer=tokenizer, max_length=max_length)


def collate(items: list[dict[str, Any]], *, pad: int) -> dict[str, Any]:
    """A batch of images; with captions also `input_ids`, `attention_mask` (B, L) and `caption` (B,)."""
    batch = collate_images(items)
    readable = [item for item in items if "input_ids" in item]
    if readable:
        batch |= collate_texts(readable, pad=pad)
        batch["caption"] = torch.tensor([item["caption"] for item in readable], dtype=torch.int64)
    return batch
