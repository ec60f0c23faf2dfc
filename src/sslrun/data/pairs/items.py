"""Items of images with captions by their keys, and batches of them."""

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
"""Number of the view whose randomness chooses a caption; an image's own views count from 0."""


class Captions:
    """The captions of some images as tokens.

    Attributes:
        of_image: positions in `tokens` of each image's captions.
        same: (T,) int64 of each caption; equal where the text encoder sees equal tokens.
    """

    def __init__(self, captions: list[tuple[str, ...]], tokenizer: Tokenizer, *, max_length: int) -> None:
        texts = [text for own in captions for text in own]
        self.tokens = token_items(texts, tokenizer, max_length=max_length)
        ends = np.cumsum([len(own) for own in captions])
        self.of_image = np.split(np.arange(len(texts)), ends[:-1])
        seen: dict[bytes, int] = {}
        self.same = np.array([seen.setdefault(self.ids(i).tobytes(), len(seen)) for i in range(len(texts))])

    def ids(self, position: int) -> np.ndarray:
        """(L,) int64, marks among them."""
        ids: np.ndarray = self.tokens[0, position]["input_ids"]
        return ids


class PairItems(Items):
    """`image`, augmented, and `input_ids` of one of its captions; `caption` tells which are equal.

    Args:
        captions: of the images, by their positions in the split.
        seed: of the choice, which is a function of (seed, epoch, position).
    """

    def __init__(self, images: TrainingImages, captions: Captions, *, seed: int) -> None:
        self.images, self.captions, self.seed = images, captions, seed
        self._randomness = Randomness()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: Key) -> dict[str, Any]:
        item = self.images[key]
        index = item["index"]  # another than the one asked for where that cannot be read
        own = self.captions.of_image[index]
        self._randomness.set(seed=self.seed, epoch=key[0], index=index, view=CHOICE)
        chosen = int(own[self._randomness.numpy.integers(len(own))])
        return {**item, "input_ids": self.captions.ids(chosen), "caption": int(self.captions.same[chosen])}

    def note_corrupt(self, positions: list[int]) -> None:
        self.images.note_corrupt(positions)


def token_items(texts: list[str], tokenizer: Tokenizer, *, max_length: int) -> TextItems:
    """Each text's beginning between its marks, unlabelled."""
    return TextItems(tokenizer.encode(texts), np.arange(len(texts)), None, tokenizer=tokenizer, max_length=max_length)


def collate(items: list[dict[str, Any]], *, pad: int) -> dict[str, Any]:
    """Images as ever; where the items have captions also `input_ids`, `attention_mask` (B, L) and `caption` (B,)."""
    batch = collate_images(items)
    readable = [item for item in items if "input_ids" in item]
    if readable:
        batch |= collate_texts(readable, pad=pad)
        batch["caption"] = torch.tensor([item["caption"] for item in readable], dtype=torch.int64)
    return batch
