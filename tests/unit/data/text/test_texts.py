"""Splits, tokenizers, masks and blocks of text."""

from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import numpy as np
import pytest
import torch

from small import write_texts
from sslrun.config.compose import compose
from sslrun.config.dataset.text import PyDocsConfig, TextConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.config.search_path import augmentation_named
from sslrun.core.batch import NO_TARGET, BlocksBatch, TokensBatch
from sslrun.data.build import build_data
from sslrun.data.loader import ItemLoader, RunSampler
from sslrun.data.text.corrupt import Mask, PermuteSentences, Tokens
from sslrun.data.text.items import Blocks
from sslrun.data.text.pydocs import FAMILIES
from sslrun.data.text.texts import TextData
from sslrun.data.text.tokenizer import train


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_texts(tmp_path_factory.mktemp("texts") / "made.jsonl")


def texts(path: Path, **options: Any) -> TextData:
    data = build_data(TextConfig(name="made", path=str(path), **{"vocab_size": 120, "max_length": 24} | options))
    assert isinstance(data, TextData)
    return data


def policy(*transforms: Any) -> AugmentationConfig:
    return AugmentationConfig(name="made", views=[ViewConfig(transforms=list(transforms))])


def test_the_splits_are_stratified_and_the_tokenizer_knows_train_alone(path: Path) -> None:
    data = texts(path, tokenizer="char")
    assert [data.size(s) for s in ("train", "validation", "test")] == [173, 19, 48]
    labels = data.labels("test")
    assert labels is not None and np.bincount(labels).tolist() == [24, 24]
    known = set("".join(data.texts("train")))
    assert data.tokenizer.size == len(known) + 5


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "char"])
def test_text_comes_back_from_its_tokens(path: Path, kind: str) -> None:
    data = texts(path, tokenizer=kind, max_length=200)
    text = data.texts("train")[0]
    decoded = data.tokenizer.decode(data.evaluation("train")[0, 0]["input_ids"])
    assert decoded == (text.lower() if kind == "wordpiece" else text)


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_equal_texts_train_equal_tokenizers(kind: str) -> None:
    words = list(topics.values())[:30]
    first, second, third = (train(kind, words, vocab_size=1000).to_str() for _ in range(3))
    assert first == second == third


def test_a_trained_tokenizer_is_read_from_the_cache(path: Path, tmp_path: Path) -> None:
    first = texts(path, cache_dir=str(tmp_path))
    (cached,) = (tmp_path / "tokenizers").glob("*.json")
    changed = cached.stat().st_mtime_ns
    again = texts(path, cache_dir=str(tmp_path))
    assert cached.stat().st_mtime_ns == changed and again.fingerprint == first.fingerprint
    texts(path, cache_dir=str(tmp_path), vocab_size=100)
    assert len(list((tmp_path / "tokenizers").glob("*.json"))) == 2


def test_a_saved_tokenizer_reads_the_same_here_and_in_transformers(path: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    data = texts(path)
    data.save_inputs(tmp_path)
    again = texts(path, tokenizer=str(tmp_path))
    ids = data.evaluation("test")[0, 3]["input_ids"].tolist()
    assert again.evaluation("test")[0, 3]["input_ids"].tolist() == ids
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs(data.texts("test")[3], truncation=True, max_length=24)["input_ids"] == ids
    assert theirs.pad_token == "[PAD]" and theirs.mask_token == "[MASK]"


def test_no_such_tokenizer(path: Path) -> None:
    with pytest.raises(DataError, match=r"dataset.tokenizer=wordpeice: no such kind or file; choose wordpiece, bpe"):
        texts(path, tokenizer="wordpeice")


def test_masks_have_the_shares_of_the_paper(path: Path) -> None:
    data = texts(path, vocab_size=120)
    mask = Mask(data.tokenizer, share=0.15)
    ids = np.full(200_000, 60, dtype=np.int64)
    hidden = mask(Tokens(ids, np.ones(len(ids), bool)), np.random.Generator(np.random.Philox(0)), max_tokens=len(ids))
    assert hidden.targets is not None
    asked = hidden.targets != NO_TARGET
    assert asked.sum() == 30_000 and (hidden.ids[~asked] == 60).all() and (hidden.targets[asked] == 60).all()
    masked = int((hidden.ids[asked] == data.tokenizer.mask).sum())
    kept = int((hidden.ids[asked] == 60).sum())
    # standard deviations of 69 and 52; the random ones hit the token itself now and then
    assert abs(masked - 24_000) < 280 and abs(kept - 3_000 - 3_000 / len(data.tokenizer.ordinary)) < 210
    assert masked == 23888, "the draws of this seed"
    assert not np.isin(hidden.ids[asked & (hidden.ids != data.tokenizer.mask)], range(5)).any()


def hidden_words(data: TextData, lengths: list[int], *, unit: str, share: float, seed: int, cut: int = 0) -> list[Any]:
    """Of each word, whether its tokens are hidden; `cut` tokens of the text's beginning are missing."""
    mask = Mask(data.tokenizer, share=share, unit=unit, mask=1.0, random=0.0)
    starts = np.concatenate([np.arange(length) == 0 for length in lengths])[cut:]
    tokens = Tokens(np.arange(len(starts)) + 10, starts)
    hidden = mask(tokens, np.random.Generator(np.random.Philox(seed)), max_tokens=len(starts))
    is_hidden = hidden.ids == data.tokenizer.mask
    assert hidden.targets is not None and np.array_equal(hidden.targets != NO_TARGET, is_hidden)
    return np.split(is_hidden, np.cumsum(lengths)[:-1] - cut)


@pytest.mark.parametrize("unit", ["word", "span"])
def test_words_are_hidden_whole(path: Path, unit: str) -> None:
    """Of 90 tokens a share of .3 is 27: nine words of three; the longer words leave at most two tokens unused."""
    data = texts(path)
    for seed in range(20):
        even = hidden_words(data, [3] * 30, unit=unit, share=0.3, seed=seed)
        assert sum(word.all() for word in even) == 9 and sum(word.any() for word in even) == 9
        words = hidden_words(data, [1, 4, 2, 7, 3, 1] * 5, unit=unit, share=0.3, seed=seed)
        assert all(word.all() or not word.any() for word in words)
        assert 25 <= sum(word.sum() for word in words) <= 27


def test_spans_are_of_words_in_a_row(path: Path) -> None:
    """Runs of hidden words."""
    data = texts(path)

    def runs(unit: str) -> int:
        is_hidden = [word.any() for word in hidden_words(data, [3] * 30, unit=unit, share=0.3, seed=1)]
        return int((np.diff(np.array(is_hidden, dtype=int), prepend=0) == 1).sum())

    assert runs("span") <= 5 < runs("word")


@pytest.mark.parametrize("unit", ["word", "span"])
def test_what_a_cut_left_of_a_word_is_hidden_as_often_as_others(path: Path, unit: str) -> None:
    data = texts(path)
    drawn = [hidden_words(data, [3] * 10, unit=unit, share=0.3, seed=seed, cut=1) for seed in range(300)]
    first = [words[0] for words in drawn]
    assert all(word.all() or not word.any() for word in first)
    assert 0.1 < np.mean([word.all() for word in first]) < 0.5


def test_a_word_too_long_is_hidden_where_there_is_no_shorter_one(path: Path) -> None:
    """A share of .15 of 10 tokens is 2."""
    data = texts(path)
    for seed in range(20):
        words = hidden_words(data, [5, 5], unit="word", share=0.15, seed=seed)
        assert sum(word.all() for word in words) == 1 == sum(word.any() for word in words)
        words = hidden_words(data, [5, 2, 3], unit="word", share=0.15, seed=seed)
        assert [word.all() for word in words] == [False, True, False] == [word.any() for word in words]


def test_sentences_are_permuted_whole(path: Path) -> None:
    data = texts(path, tokenizer="char")
    text = "ab. cde! f? gh"
    encoded = data.tokenizer.encode([text])
    ends = {data.tokenizer.backend.token_to_id(c) for c in ".!?" if data.tokenizer.backend.token_to_id(c) is not None}
    permute = PermuteSentences(data.tokenizer)
    tokens = Tokens(np.array([7, 8, min(ends), 9, 10, 11, min(ends), 12]), np.ones(8, bool))
    seen = set()
    for seed in range(60):
        ids = permute(tokens, np.random.Generator(np.random.Philox(seed)), max_tokens=8).ids.tolist()
        joined = " ".join(map(str, ids))
        assert f"7 8 {min(ends)}" in joined and f"9 10 11 {min(ends)}" in joined and sorted(ids) == sorted(tokens.ids)
        seen.add(joined)
    assert len(seen) == 6 and len(encoded.ids) == len(text)


@pytest.mark.parametrize(
    ("transform", "message"),
    [
        ("RandomResizedCrop", "RandomResizedCrop is no transform of text; there are Crop, PermuteSentences, Mask"),
        ({"Mask": {"shares": 0.1}}, "Mask takes no shares; did you mean 'share'?"),
        ({"Mask": {"share": 1.5}}, "Mask.share must be in"),
        ({"Mask": {"unit": "letter"}}, "Mask.unit=letter: no such choice"),
    ],
)
def test_a_policy_of_something_else_is_refused(path: Path, transform: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        texts(path).training(policy(transform), batch_type=TokensBatch, seed=0)
    assert message in str(refused.value)


def batches(data: TextData, *, workers: int, start: int = 0) -> list[dict[str, Any]]:
    items = data.training(augmentation_named("bert_spans"), batch_type=TokensBatch, seed=3)
    sampler = RunSampler(len(items), batch_size=16, total_steps=14, start=lambda: start, seed=0)
    return list(ItemLoader(data, items, sampler, workers=workers))


def test_workers_and_restarts_change_no_mask(path: Path) -> None:
    data = texts(path)
    alone, workers, late = batches(data, workers=0), batches(data, workers=2), batches(data, workers=1, start=9)
    assert len(alone) == len(workers) == 14 and len(late) == 5
    for a, b in [*zip(alone, workers, strict=True), *zip(alone[9:], late, strict=True)]:
        assert all(torch.equal(a[key], b[key]) for key in ("input_ids", "attention_mask", "targets", "index"))


def test_each_epoch_hides_other_tokens_and_validation_the_same(path: Path) -> None:
    data = texts(path)
    items = data.training(augmentation_named("bert"), batch_type=TokensBatch, seed=3)
    assert not np.array_equal(items[0, 5]["targets"], items[1, 5]["targets"])
    first, again = (data.held_out(augmentation_named("bert"), batch_type=TokensBatch) for _ in range(2))
    assert first is not None and again is not None
    assert all(np.array_equal(first[0, i]["input_ids"], again[0, i]["input_ids"]) for i in range(len(first)))


def test_held_out_pieces_cover_long_texts(path: Path) -> None:
    data = texts(path, max_length=8)
    whole = texts(path, max_length=500)
    pieces = data.held_out(policy(), batch_type=TokensBatch)
    assert pieces is not None and not pieces.aligned_with_split
    joined = np.concatenate([pieces[0, i]["input_ids"][1:-1] for i in range(len(pieces))])
    uncut = [whole.evaluation("validation")[0, i]["input_ids"][1:-1] for i in range(whole.size("validation"))]
    np.testing.assert_array_equal(joined, np.concatenate(uncut))


def test_blocks_ask_for_every_next_token_once(path: Path) -> None:
    blocks = Blocks(np.arange(103, dtype=np.int32), length=10, seed=None)
    assert len(blocks) == 11
    assert blocks[0, 0]["targets"].tolist() == list(range(1, 11))
    asked = np.concatenate([blocks[0, i]["targets"] for i in range(11)])
    assert asked.tolist() == list(range(1, 103))


def test_training_blocks_begin_elsewhere_in_each_epoch(path: Path) -> None:
    blocks = Blocks(np.arange(103, dtype=np.int32), length=10, seed=0)
    starts = {int(blocks[epoch, 0]["input_ids"][0]) for epoch in range(30)}
    assert len(blocks) == 9 and len(starts) > 5 and max(starts) < 10
    assert all(len(blocks[e, 8]["targets"]) == 10 for e in range(30))


def test_documents_of_a_stream_end_with_a_mark(path: Path) -> None:
    data = texts(path)
    blocks = data.held_out(policy(), batch_type=BlocksBatch)
    assert isinstance(blocks, Blocks)
    assert (blocks.stream == data.tokenizer.end).sum() == data.size("validation") and blocks.stream[-1] == 3


@pytest.mark.parametrize("kind", ["wordpiece", "bpe", "char"])
def test_characters_are_counted_where_tokens_tell_all_of_them(path: Path, kind: str) -> None:
    data = texts(path, tokenizer=kind)
    blocks = data.held_out(policy(), batch_type=BlocksBatch)
    assert isinstance(blocks, Blocks)
    every = sum(map(len, data.texts("validation")))
    assert blocks.characters == (None if kind == "wordpiece" else every)  # lower case is another text


def test_blocks_bear_no_transforms(path: Path) -> None:
    with pytest.raises(ConfigError, match="blocks of tokens take no transforms; set augmentation=none"):
        texts(path).training(augmentation_named("bert"), batch_type=BlocksBatch, seed=0)


def test_a_stream_too_short_for_a_block(path: Path) -> None:
    with pytest.raises(DataError, match=r"validation has \d+ tokens|train has [\d,]+ tokens, too few for blocks"):
        texts(path, max_length=100_000).training(policy(), batch_type=BlocksBatch, seed=0)


def test_the_end_of_a_single_text_is_validation(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text("".join(str(i % 10) for i in range(200)) + "end of the text here")
    data = texts(tmp_path / "one.txt", label=None, tokenizer="char")
    assert data.texts("validation") == ["89end of the text here"[-22:]]
    assert data.classes is None and data.size("test") == 0


def test_a_batch_is_padded_at_its_end(path: Path) -> None:
    data = texts(path)
    items = data.evaluation("train")
    batch = data.collate([items[0, i] for i in range(8)])
    lengths = [len(items[0, i]["input_ids"]) for i in range(8)]
    assert batch["input_ids"].shape[1] == -(-max(lengths) // 8) * 8
    assert batch["attention_mask"].sum(dim=1).tolist() == lengths
    assert (batch["input_ids"][batch["attention_mask"] == 0] == data.tokenizer.pad).all()


def test_pydocs_are_english_of_every_family() -> None:
    data = build_data(PyDocsConfig(name="pydocs", vocab_size=500))
    assert isinstance(data, TextData) and data.classes == tuple(sorted(FAMILIES))
    together = [text for split in ("train", "validation", "test") for text in data.texts(split)]
    assert len(together) > 2000 and len(set(together)) == len(together)
    labels = data.labels("test")
    assert labels is not None and len(set(labels.tolist())) == len(FAMILIES)


def test_the_recipes_of_masking_compose() -> None:
    for name in ("bert", "bert_words", "bert_spans", "bert_sentences"):
        config: Any = compose("pretrain", ["method=bert", f"augmentation={name}"])
        assert config.augmentation.name == name and config.dataset.name == "pydocs"
