"""Tokenizers of the library `tokenizers`: trained on the train split and cached, or read from a file."""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")  # its threads would not survive the fork of loader workers

import numpy as np
from tokenizers import Regex, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizers import Tokenizer as Backend

from sslrun.config.dataset.pairs import PairDatasetConfig
from sslrun.config.dataset.text import TextDatasetConfig
from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once, replacing, write_json
from sslrun.core.hub import local_path
from sslrun.data.folders import cache_folder
from sslrun.data.labels import digest

VERSION = 2
"""Incremented when training changes, to invalidate old cache files."""
TRAINED = ("wordpiece", "bpe", "char")
SPECIAL_TOKENS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
NAMES = {"pad": ("[PAD]", "<pad>"), "mask": ("[MASK]", "<mask>"), "end": ("[SEP]", "</s>", "<|endoftext|>")}
"""Names of special tokens in third-party tokenizers."""
SENTENCE_ENDS = (".", "!", "?", "\n", "Ċ")


@dataclass(frozen=True)
class Encoded:
    """Tokens of many texts, concatenated, without special tokens.

    Attributes:
        ids: (T,) int32.
        starts_word: (T,) bool, whether a token is the first of its word.
        ends: (N,) int64, end of each text, exclusive.
    """

    ids: np.ndarray
    starts_word: np.ndarray
    ends: np.ndarray

    def tokens(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """`ids` and `starts_word` of one text."""
        span = slice(int(self.ends[position - 1]) if position else 0, int(self.ends[position]))
        return self.ids[span], self.starts_word[span]

    def lengths(self, positions: np.ndarray) -> np.ndarray:
        """(n,) int64 token counts of some texts."""
        lengths: np.ndarray = np.diff(self.ends, prepend=0)[positions]
        return lengths


class EncodedTexts(Protocol):
    """Tokens of many texts, in memory (`Encoded`) or computed on access."""

    def tokens(self, position: int) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int32 ids without special tokens, and (n,) bool, whether each starts a word."""
        ...

    def lengths(self, positions: np.ndarray) -> np.ndarray:
        """(n,) int64 token counts of some texts."""
        ...


class Tokenizer:
    """Converts texts to ids and back.

    Attributes:
        size: of the vocabulary.
        pad, end: ids; `end` follows each document of a stream.
        mask: id of the mask token, or None.
        before, after: ids of the special tokens around a single text.
    """

    def __init__(self, backend: Backend) -> None:
        backend.no_padding()
        backend.no_truncation()
        self.backend = backend
        self.size = int(backend.get_vocab_size())
        self.mask = self._find("mask")
        end = self._find("end")
        pad = self._find("pad")
        if end is None and pad is None:
            raise DataError(f"dataset.tokenizer: it has none of the tokens {', '.join(NAMES['end'] + NAMES['pad'])}")
        self.end = int(end if end is not None else pad)  # type: ignore[arg-type]
        self.pad = int(pad if pad is not None else end)  # type: ignore[arg-type]
        alone = backend.encode("a").ids
        inner = len(backend.encode("a", add_special_tokens=False).ids)
        is_special = backend.encode("a").special_tokens_mask
        first = next((i for i, special in enumerate(is_special) if not special), len(is_special) - inner)
        self.before, self.after = alone[:first], alone[first + inner :]

    def encode(self, texts: list[str]) -> Encoded:
        """All texts, without special tokens."""
        found = self.backend.encode_batch(texts, add_special_tokens=False)
        words = [np.array([-1 if w is None else w for w in e.word_ids], dtype=np.int64) for e in found]
        firsts = [np.diff(w, prepend=-2) != 0 for w in words]
        return Encoded(
            np.concatenate([np.array(e.ids, dtype=np.int32) for e in found]),
            np.concatenate(firsts),
            np.cumsum([len(e.ids) for e in found], dtype=np.int64),
        )

    def decode(self, ids: Iterable[int]) -> str:
        """The text of ids, without special tokens."""
        return str(self.backend.decode([int(i) for i in ids], skip_special_tokens=True))

    def keeps(self, texts: Iterable[str]) -> bool:
        """Whether encoding is lossless for these texts: case, whitespace and rare characters survive."""
        return all(self.decode(self.encode([text]).ids) == text for text in texts)

    def encoder_inputs(self, *, max_length: int) -> dict[str, Any]:
        """The inputs that a text backbone is built from."""
        sizes = {"vocab_size": self.size, "max_length": max_length}
        return {"reads": "input_ids", **sizes, "pad": self.pad, "end": self.end}

    def save(self, folder: Path, *, max_length: int) -> None:
        """Write tokenizer.json and tokenizer_config.json for `transformers.AutoTokenizer`."""
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "tokenizer.json") as path:
            self.backend.save(str(path))
        names = {f"{key}_token": self.backend.id_to_token(i) for key, i in (("pad", self.pad), ("eos", self.end))}
        if self.mask is not None:
            names["mask_token"] = self.backend.id_to_token(self.mask)
        about = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_length, **names}
        write_json(folder / "tokenizer_config.json", about)

    @cached_property
    def ordinary(self) -> np.ndarray:
        """(V',) ids that are not special tokens."""
        special = [i for i, token in self.backend.get_added_tokens_decoder().items() if token.special]
        return np.setdiff1d(np.arange(self.size), special)

    @cached_property
    def ends_sentence(self) -> np.ndarray:
        """(V,) bool, whether a token ends a sentence."""
        tokens = (self.backend.id_to_token(i) or "" for i in range(self.size))
        return np.fromiter((token.endswith(SENTENCE_ENDS) for token in tokens), dtype=bool, count=self.size)

    def _find(self, role: str) -> int | None:
        ids = (self.backend.token_to_id(name) for name in NAMES[role])
        return next((int(i) for i in ids if i is not None), None)


def expected_token_inputs(*, max_length: int) -> dict[str, Any]:
    """`Tokenizer.encoder_inputs` without a tokenizer; the vocabulary is small enough to fit any pretrained weights."""
    return {"reads": "input_ids", "vocab_size": 16, "max_length": max_length, "pad": 0, "end": 1}


def open_tokenizer(config: TextDatasetConfig | PairDatasetConfig, texts: list[str]) -> Tokenizer:
    """The tokenizer that `dataset.tokenizer` names: a file, or a kind, which is trained on `texts` unless cached.

    Raises:
        DataError: a file that is not a tokenizer.
    """
    if config.tokenizer not in TRAINED:
        return Tokenizer(_read(local_path(config.tokenizer, key="dataset.tokenizer"), name=config.tokenizer))
    size = None if config.tokenizer == "char" else config.vocab_size
    path = cache_folder(config.cache_dir) / "tokenizers" / f"{digest(VERSION, config.tokenizer, size, *texts)}.json"

    def make(temporary: Path) -> None:
        train(config.tokenizer, texts, vocab_size=config.vocab_size).save(str(temporary))

    make_once(make, path)
    return Tokenizer(_read(path, name=config.tokenizer))


def read_tokenizer(path: Path) -> Tokenizer:
    """The tokenizer of a tokenizer.json or of a folder with one; DataError if it cannot be read."""
    return Tokenizer(_read(path, name=str(path)))


def train(kind: str, texts: list[str], *, vocab_size: int) -> Backend:
    """Train a tokenizer of a kind in `TRAINED`."""
    if kind == "char":
        characters = sorted(set().union(*texts))
        backend = Backend(
            models.WordLevel({t: i for i, t in enumerate([*SPECIAL_TOKENS, *characters])}, unk_token="[UNK]")
        )
        backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), behavior="isolated")
        backend.decoder = decoders.Fuse()
        backend.add_special_tokens(SPECIAL_TOKENS)
        return backend
    if kind == "bpe":
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer: trainers.Trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=SPECIAL_TOKENS,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        )
        backend.train_from_iterator(texts, trainer, length=len(texts))
        return backend
    return _word_pieces(texts, vocab_size=vocab_size)


def _word_pieces(texts: list[str], *, vocab_size: int) -> Backend:
    """A deterministic WordPiece tokenizer.

    The library breaks ties between merges by ids, and assigns those of inner characters in hash-map order. Listing
    these characters before training fixes their ids.
    """
    words = _bert_words(models.WordLevel())
    words.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=2**31, show_progress=False))
    inner = sorted({"##" + character for word in words.get_vocab() for character in word[1:]})
    merged = _bert_words(models.WordPiece(unk_token="[UNK]"))
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocab_size, special_tokens=[*SPECIAL_TOKENS, *inner], show_progress=False
    )
    merged.train_from_iterator(texts, trainer, length=len(texts))
    backend = _bert_words(models.WordPiece(merged.get_vocab(), unk_token="[UNK]"))
    backend.add_special_tokens(SPECIAL_TOKENS)
    backend.decoder = decoders.WordPiece()
    around = [(name, backend.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    return backend


def _bert_words(model: models.Model) -> Backend:
    backend = Backend(model)
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return backend


def _read(path: Path, *, name: str) -> Backend:
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise DataError(
            f"dataset.tokenizer={name}: no such kind or file; choose {', '.join(TRAINED)}, or a tokenizer.json"
        )
    try:
        json.loads(file.read_text(encoding="utf-8"))
        return Backend.from_file(str(file))
    except Exception as error:  # the library raises bare Exception
        raise DataError(f"dataset.tokenizer={name} is no tokenizer.json: {' '.join(str(error).split())}") from error
