"""The raw baseline of texts."""

import json
from pathlib import Path

import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from shards import write_shard
from small import write_texts
from sslrun.config.dataset.text import TextConfig
from sslrun.config.dataset.webdataset import TextWebDatasetConfig
from sslrun.core.rows import RowKey
from sslrun.data.build import build_data
from sslrun.data.loader import evaluation_loader
from sslrun.data.text.texts import TextData
from sslrun.evaluation.raw import tfidf as module
from sslrun.evaluation.raw.tfidf import TfIdf


def test_a_text_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [json.loads(line) for line in write_texts(tmp_path / "made.jsonl", count=120).read_text().splitlines()]
    samples = {f"{i:03d}": {"txt": row["text"].encode(), "cls": row["label"].encode()} for i, row in enumerate(rows)}
    for broken in range(0, 120, 6):
        samples[f"{broken:03d}"]["txt"] = b"\xff\xfe"
    data = build_data(
        TextWebDatasetConfig(
            name="made", train=str(write_shard(tmp_path / "a.tar", samples)), cache_dir=str(tmp_path / "cache"),
            vocab_size=120, max_length=24, max_corrupt=0.5,
        )
    )  # fmt: skip
    assert isinstance(data, TextData)
    result = TfIdf().probe(data, key=RowKey(encoder="tfidf", dataset=data.name, seed=0), budgets=[2], draws=1)
    assert len(data.corrupt) == 20 and data.corrupt[0].startswith("a.tar:")
    (batch,) = evaluation_loader(data, data.evaluation("test"), batch_size=99, workers=0)  # an encoder's
    linear = next(row for row in result.rows if row.evaluation == "linear" and row.metric == "top1")
    assert linear.n == len(batch["index"]) < data.size("test") and len(data.corrupt) == 20
    assert linear.value == 1.0  # the classes share no noun: labels are those of their texts


def test_words_are_counted_on_train_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each text has a word of its own."""
    path = write_texts(tmp_path / "made.jsonl", count=60)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    numbered = (json.dumps(row | {"text": f"{row['text']} item{i}."}) for i, row in enumerate(rows))
    path.write_text("\n".join(numbered) + "\n")
    data = build_data(TextConfig(name="made", path=str(path), vocab_size=120, max_length=24))
    assert isinstance(data, TextData)
    words = TfidfVectorizer()
    monkeypatch.setattr(module, "TfidfVectorizer", lambda: words)
    TfIdf().probe(data, key=RowKey(encoder="tfidf", dataset=data.name, seed=0), budgets=[2], draws=1)
    own = {word for word in words.vocabulary_ if word.startswith("item")}
    assert own == {text.split()[-1].rstrip(".") for _, text in data.readable("train")}
    assert 0 < len(own) < 60
