"""Texts out of tar files give what the same texts in memory give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards import write_shard, write_shards
from small import write_texts
from sslrun.config.dataset.text import TextConfig
from sslrun.config.dataset.webdataset import TextWebDatasetConfig
from sslrun.config.errors import DataError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.core.batch import BlocksBatch, TokensBatch
from sslrun.data.build import build_data
from sslrun.data.loader import ItemLoader, RunSampler
from sslrun.data.text.streamed import StreamedTokens

NONE = AugmentationConfig(name="none", views=[ViewConfig(transforms=[])])
OPTIONS: dict[str, Any] = {"vocab_size": 120, "max_length": 24}


@pytest.fixture
def both(tmp_path: Path) -> tuple[Any, Any]:
    """The same sentences out of shards and out of one file."""
    table = write_texts(tmp_path / "made.jsonl", count=90)
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    samples = [{"json": json.dumps(row).encode()} for row in rows]
    pattern = write_shards(tmp_path / "shards", samples, per_shard=20)
    config = TextWebDatasetConfig(
        name="made", train=pattern, text=["json:text"], label="json:label", shard_window=2, **OPTIONS
    )
    return build_data(config), build_data(TextConfig(name="made", path=str(table), **OPTIONS))


def equal(a: Any, b: Any) -> bool:
    return a.keys() == b.keys() and all(np.array_equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_texts_and_labels(both: tuple[Any, Any], split: str) -> None:
    streamed, held = both
    assert streamed.classes == held.classes and streamed.size(split) == held.size(split)
    assert streamed.labels(split).tolist() == held.labels(split).tolist()
    assert streamed.texts(split) == held.texts(split)
    items, expected = streamed.evaluation(split), held.evaluation(split)
    assert all(equal(items[0, i], expected[0, i]) for i in range(len(expected)))


def test_hidden_tokens_and_blocks(both: tuple[Any, Any]) -> None:
    mask = AugmentationConfig(name="mask", views=[ViewConfig(transforms=["Crop", {"Mask": {"unit": "word"}}])])
    for policy, kind in ((mask, TokensBatch), (NONE, BlocksBatch)):
        for items, expected in (
            [data.training(policy, batch_type=kind, seed=2) for data in both],
            [data.held_out(policy, batch_type=kind) for data in both],
        ):
            assert len(items) == len(expected) > 3 and items.characters == expected.characters
            assert all(equal(items[e, i], expected[e, i]) for e in (0, 1) for i in range(len(expected)))


@pytest.mark.parametrize("kind", [TokensBatch, BlocksBatch])
def test_batches_are_the_same_whatever_the_workers(both: tuple[Any, Any], kind: type) -> None:
    data = both[0]
    items = data.training(NONE, batch_type=kind, seed=3)
    assert items.disk_groups.window == 2 and items.disk_groups.ends[-1] == len(items)

    def batches(workers: int, start: int) -> list[list[list[int]]]:
        sampler = RunSampler(
            len(items), batch_size=8, total_steps=6, start=lambda: start, seed=3, disk_groups=items.disk_groups
        )
        return [batch["input_ids"].tolist() for batch in ItemLoader(data, items, sampler, workers=workers)]

    assert batches(2, 0) == batches(0, 0) and batches(1, 4) == batches(0, 0)[4:]


def test_tokens_are_counted_once(both: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    first = both[0].training(NONE, batch_type=BlocksBatch, seed=0)
    again = build_data(both[0].config)
    monkeypatch.setattr("sslrun.data.text.streamed.StreamedTokens._count", lambda *_: pytest.fail("counted again"))
    assert len(again.training(NONE, batch_type=BlocksBatch, seed=0)) == len(first)


class OnceUnreadable(list[str]):
    """Texts of which the second cannot be read while `broken`."""

    broken = True

    def __getitem__(self, position: Any) -> Any:
        if self.broken and position == 1:
            raise DataError("the second cannot be read")
        return super().__getitem__(position)


def test_a_text_that_has_become_readable_is_counted(both: tuple[Any, Any], tmp_path: Path) -> None:
    texts, reasons = OnceUnreadable(["The ship is here."] * 3), []
    tokens = StreamedTokens(texts, both[0].tokenizer, folder=tmp_path / "counts", key="", report=reasons.append)
    first, missing, last = tokens.lengths(np.arange(3)).tolist()
    assert missing == 0 < first == last and set(reasons) == {"the second cannot be read"}
    texts.broken = False
    assert tokens.lengths(np.arange(3)).tolist() == [first] * 3


def test_what_is_no_text_is_named_and_left_out(tmp_path: Path) -> None:
    samples = {f"{i:02d}": {"txt": f"words and words {i}".encode()} for i in range(30)}
    path = str(write_shard(tmp_path / "a.tar", samples))
    options = {"train": path, "label": None, "tokenizer_texts": 1, **OPTIONS}
    samples["13"] = {"txt": b"\xff\xfe\xfa"}
    write_shard(tmp_path / "a.tar", samples)
    data = build_data(TextWebDatasetConfig(name="made", max_corrupt=0.1, **options))
    with pytest.raises(DataError, match=r"a.tar:13.txt is no UTF-8"):
        data.texts("train")
    items = data.training(NONE, batch_type=TokensBatch, seed=0)
    sampler = RunSampler(
        len(items), batch_size=5, total_steps=10, start=lambda: 0, seed=0, disk_groups=items.disk_groups
    )
    assert [len(batch["index"]) for batch in ItemLoader(data, items, sampler, workers=0)] == [5] * 10
    assert len(data.corrupt) == 1 and data.corrupt[0].startswith("a.tar:13.txt is no UTF-8")
    strict = build_data(TextWebDatasetConfig(name="made", **options))
    items = strict.training(NONE, batch_type=TokensBatch, seed=0)
    with pytest.raises(
        DataError, match=r"1 of 30 samples cannot be read \(first: a.tar:13.txt .*dataset.max_corrupt=0.01"
    ):
        list(ItemLoader(strict, items, sampler, workers=0))


def test_blocks_are_those_of_the_documents_that_can_be_read(tmp_path: Path) -> None:
    lines = write_texts(tmp_path / "made.jsonl", count=40).read_text().splitlines()
    samples = {f"{i:02d}": {"txt": json.loads(line)["text"].encode()} for i, line in enumerate(lines)}
    broken = {key: {"txt": b"\xff"} for key in list(samples)[::3]}
    whole = str(write_shard(tmp_path / "a.tar", samples | broken))
    left = str(write_shard(tmp_path / "b.tar", {key: samples[key] for key in samples if key not in broken}))
    options: dict[str, Any] = {"name": "made", "label": None, "max_length": 24, "max_corrupt": 0.5}
    expected = build_data(TextWebDatasetConfig(train=left, val=left, vocab_size=120, **options))
    expected.save_inputs(tmp_path / "tokenizer")
    data = build_data(TextWebDatasetConfig(train=whole, val=whole, tokenizer=str(tmp_path / "tokenizer"), **options))
    for items, wanted in (
        (data.held_out(NONE, batch_type=BlocksBatch), expected.held_out(NONE, batch_type=BlocksBatch)),
        (data.training(NONE, batch_type=BlocksBatch, seed=2), expected.training(NONE, batch_type=BlocksBatch, seed=2)),
    ):
        assert len(items) == len(wanted) > 3 and items.characters == wanted.characters
        assert all(equal(items[e, i], wanted[e, i]) for e in (0, 1) for i in range(len(wanted)))
    assert len(data.corrupt) == 14


def test_what_is_neither_text_nor_a_number_is_left_out(tmp_path: Path) -> None:
    samples = {f"{i:02d}": {"json": b'{"text": "words and words"}'} for i in range(20)}
    samples["03"] = {"json": b'{"text": null}'}
    config = TextWebDatasetConfig(
        name="made", train=str(write_shard(tmp_path / "a.tar", samples)), text=["json:text"], label=None,
        max_corrupt=0.1, **OPTIONS,
    )  # fmt: skip
    data = build_data(config)
    read = [text for split in ("train", "validation") for _, text in data.readable(split)]
    assert read == ["words and words"] * 19
    assert data.corrupt[0].startswith("a.tar:03.json:text: dataset.text takes text or a number, not null")


def test_labels_that_are_not_there_are_told(tmp_path: Path) -> None:
    samples = {f"{i:02d}": {"txt": b"words"} for i in range(20)}
    labelled = TextWebDatasetConfig(name="made", train=str(write_shard(tmp_path / "a.tar", samples)), **OPTIONS)
    with pytest.raises(DataError, match=r"dataset.label=cls: no sample .* there are txt; dataset.label=null for none"):
        build_data(labelled)
