"""Augmentation policies for text, applied to tokens; randomness is a function of (seed, epoch, position)."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from sslrun.config.checks import check_one_of, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import NO_TARGET
from sslrun.data.policy import build_transform
from sslrun.data.randomness import Randomness
from sslrun.data.text.tokenizer import Tokenizer

LONGEST_SPAN = 10
"""In words: SpanBERT, section 3.1."""


@dataclass(frozen=True)
class Tokens:
    """The tokens of one text.

    Attributes:
        ids: (n,) int64.
        starts_word: (n,) bool.
        targets: (n,) int64, NO_TARGET where nothing is predicted; None if no tokens were masked.
    """

    ids: np.ndarray
    starts_word: np.ndarray
    targets: np.ndarray | None = None

    def take(self, at: np.ndarray | slice) -> "Tokens":
        """The tokens at some positions, in that order."""
        return Tokens(self.ids[at], self.starts_word[at], None if self.targets is None else self.targets[at])


class Transform(Protocol):
    """One step of a policy."""

    def __call__(self, tokens: Tokens, random: np.random.Generator, *, max_tokens: int) -> Tokens:
        """The transformed text; the encoder reads at most `max_tokens` of it."""
        ...


class Crop:
    """A random contiguous crop of `max_tokens` tokens; without it a long text is truncated at the end."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        pass

    def __call__(self, tokens: Tokens, random: np.random.Generator, *, max_tokens: int) -> Tokens:
        start = int(random.integers(max(1, len(tokens.ids) - max_tokens + 1)))
        return tokens.take(slice(start, start + max_tokens))


class PermuteSentences:
    """Sentences in random order: section 2.2 of arXiv:1910.13461 (BART).

    Sentence ends are detected from the tokens.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.ends_sentence = tokenizer.ends_sentence

    def __call__(self, tokens: Tokens, random: np.random.Generator, *, max_tokens: int) -> Tokens:
        ends = np.flatnonzero(self.ends_sentence[tokens.ids]) + 1
        sentences = [s for s in np.split(np.arange(len(tokens.ids)), ends) if len(s)]
        order = random.permutation(len(sentences))
        return tokens.take(np.concatenate([sentences[i] for i in order])) if len(order) else tokens


class Mask:
    """Mask a share of the tokens as prediction targets: section 3.1 of arXiv:1810.04805 (BERT).

    Args:
        share: of the text's tokens, rounded, at least one token.
        unit: `token`; `word`, whole words (BERT's later code); `span`, consecutive words, their number geometric with
            mean 3.8 (SpanBERT, section 3.1 of arXiv:1907.10529; there a span shares its replacement, and the authors'
            code truncates the last word). A word that would exceed the share is skipped, and with it the rest of its
            span; if every word is too long, one is masked anyway.
        mask, random: shares of the chosen tokens replaced by the mask token and by a random token; the rest is kept.
    """

    def __init__(
        self, tokenizer: Tokenizer, *, share: float = 0.15, unit: str = "token", mask: float = 0.8, random: float = 0.1
    ) -> None:
        check_range("Mask.share", share, above=0, below=1)
        check_range("Mask.mask", mask, at_least=0, at_most=1)
        check_range("Mask.random", random, at_least=0, at_most=1 - mask + 1e-9)
        check_one_of("Mask.unit", unit, ("token", "word", "span"))
        if tokenizer.mask is None:
            raise ConfigError("augmentation: Mask needs a tokenizer with a mask token; dataset.tokenizer has none")
        self.share, self.unit, self.mask, self.random = share, unit, mask, random
        self.mask_id, self.ordinary = tokenizer.mask, tokenizer.ordinary

    def __call__(self, tokens: Tokens, random: np.random.Generator, *, max_tokens: int) -> Tokens:
        tokens = tokens.take(slice(max_tokens))
        count = max(1, round(self.share * len(tokens.ids)))
        chosen = self._choose(tokens, count, random)
        targets = np.full(len(tokens.ids), NO_TARGET, dtype=np.int64)
        targets[chosen] = tokens.ids[chosen]
        ids, u = tokens.ids.copy(), random.random(len(chosen))
        ids[chosen[u < self.mask]] = self.mask_id
        swapped = chosen[(u >= self.mask) & (u < self.mask + self.random)]
        ids[swapped] = self.ordinary[random.integers(len(self.ordinary), size=len(swapped))]
        return dataclasses.replace(tokens, ids=ids, targets=targets)

    def _choose(self, tokens: Tokens, count: int, random: np.random.Generator) -> np.ndarray:
        """Ascending positions: `count` tokens, or whole words of at most `count` tokens in total, at least one word."""
        if self.unit == "token":
            return np.sort(random.permutation(len(tokens.ids))[:count])
        is_start = tokens.starts_word.copy()
        is_start[0] = True  # may be the rest of a word cut by a crop or window
        lengths = np.diff(np.flatnonzero(is_start), append=len(tokens.ids))  # (W,)
        order, left = random.permutation(len(lengths)), count
        is_chosen = np.zeros(len(lengths), dtype=bool)
        for first in order:
            span = min(int(random.geometric(0.2)), LONGEST_SPAN) if self.unit == "span" else 1
            for word in range(first, min(first + span, len(lengths))):
                if not is_chosen[word]:
                    if lengths[word] > left:
                        break
                    is_chosen[word] = True
                    left -= lengths[word]
            if left == 0:
                break
        if left == count:
            is_chosen[order[0]] = True
        return np.flatnonzero(np.repeat(is_chosen, lengths))


TRANSFORMS: dict[str, type] = {cls.__name__: cls for cls in (Crop, PermuteSentences, Mask)}


class Corruption:
    """An augmentation policy for text.

    Raises:
        ConfigError: no such transform or argument, or more than one view.
    """

    def __init__(self, config: AugmentationConfig, tokenizer: Tokenizer) -> None:
        if len(config.views) != 1 or config.views[0].count != 1:
            raise ConfigError(f"augmentation={config.name}: text takes one view; this policy has more")
        self.name = config.name
        self.transforms: list[Transform] = [
            build_transform(t, TRANSFORMS, tokenizer, policy=config.name, modality="text")
            for t in config.views[0].transforms
        ]
        self.tokenizer = tokenizer
        self._randomness = Randomness()

    def __call__(self, tokens: Tokens, *, max_tokens: int, seed: int, epoch: int, index: int) -> Tokens:
        """At most `max_tokens` tokens; randomness depends on seed, epoch and index only."""
        self._randomness.set(seed=seed, epoch=epoch, index=index, view=0)
        for transform in self.transforms:
            tokens = transform(tokens, self._randomness.numpy, max_tokens=max_tokens)
        return tokens.take(slice(max_tokens))


def with_special_tokens(tokens: Tokens, *, before: Sequence[int], after: Sequence[int]) -> Tokens:
    """The text with special tokens around it, which are not targets."""
    around = (len(before), len(after))
    targets = None if tokens.targets is None else np.pad(tokens.targets, around, constant_values=NO_TARGET)
    ids = np.concatenate([before, tokens.ids, after]).astype(np.int64)
    return Tokens(ids, np.pad(tokens.starts_word, around, constant_values=True), targets)
