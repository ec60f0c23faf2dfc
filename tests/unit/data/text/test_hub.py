"""Texts that `datasets` maps give what the same texts in memory give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from small import write_texts
from sslrun.config.dataset.text import HuggingFaceTextConfig, TextConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.schema import AugmentationConfig, ViewConfig
from sslrun.core.batch import BlocksBatch, TokensBatch
from sslrun.data.build import build_data
from sslrun.data.loader import ItemLoader, evaluation_loader

datasets = pytest.importorskip("datasets")
NONE = AugmentationConfig(name="none", views=[ViewConfig(transforms=[])])
OPTIONS: dict[str, Any] = {"name": "made", "vocab_size": 120, "max_length": 24}


def saved(folder: Path, rows: list[dict[str, Any]]) -> str:
    datasets.Dataset.from_list(rows).save_to_disk(folder / "saved")
    return str(folder / "saved")


def test_items_and_labels(tmp_path: Path) -> None:
    table = write_texts(tmp_path / "made.jsonl", count=60)
    rows = [json.loads(line) for line in table.read_text().splitlines()]
    mapped = build_data(HuggingFaceTextConfig(path=saved(tmp_path, rows), **OPTIONS))
    held = build_data(TextConfig(path=str(table), **OPTIONS))
    assert mapped.classes == held.classes and mapped.labels("test").tolist() == held.labels("test").tolist()  # type: ignore[union-attr]
    for kind in (TokensBatch, BlocksBatch):
        items, expected = (data.training(NONE, batch_type=kind, seed=2) for data in (mapped, held))
        assert len(items) == len(expected) > 3 and items.disk_groups is None
        for i in range(len(expected)):
            found, wanted = items[0, i], expected[0, i]
            assert found.keys() == wanted.keys() and all(np.array_equal(found[k], wanted[k]) for k in found)
    batches = [
        [b["input_ids"].tolist() for b in evaluation_loader(mapped, mapped.evaluation("test"), batch_size=5, workers=w)]
        for w in (0, 1)
    ]
    assert batches[0] == batches[1]


def test_rows_without_text_are_named_and_left_out(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"text": f"words and words {i}"} for i in range(30)]
    rows[11]["text"] = None
    path = saved(tmp_path, rows)
    options = {"path": path, "label": None, "tokenizer_texts": 1, "max_corrupt": 0.1, **OPTIONS}
    data = build_data(HuggingFaceTextConfig(**options))
    items = data.training(NONE, batch_type=TokensBatch, seed=0)
    assert sum(len(b["index"]) for b in ItemLoader(data, items, [[(0, i) for i in range(len(items))]], workers=0)) == 27
    assert [reason.split("saved")[1] for reason in data.corrupt] == [":train:11 holds NoneType, not text"]
    for again in (build_data(HuggingFaceTextConfig(**options)) for _ in range(2)):  # counts are kept, reasons told anew
        again.training(NONE, batch_type=BlocksBatch, seed=0)
        assert again.corrupt == data.corrupt
    with pytest.raises(DataError, match=r"dataset.text=txet: no such column in .*did you mean 'text'.; it has text"):
        build_data(HuggingFaceTextConfig(**options | {"text": "txet"}))
    with pytest.raises(ConfigError, match=r"dataset.path is not set; name a folder"):
        HuggingFaceTextConfig(name="none")


@pytest.mark.parametrize("kind", [TextConfig, HuggingFaceTextConfig])
def test_validation_is_never_test(tmp_path: Path, kind: Any) -> None:
    whole = datasets.Dataset.from_list([{"text": f"words and words {i}", "label": i % 2} for i in range(50)])
    tables = {"train": whole.select(range(40)), "validation": whole.select(range(40, 50))}
    datasets.DatasetDict(tables).save_to_disk(tmp_path / "saved")
    options = {"path": str(tmp_path / "saved"), "validation": 0.2, **OPTIONS}
    data = build_data(kind(**options, test="validation"))
    assert [data.size(s) for s in ("train", "validation", "test")] == [32, 8, 10]
    data = build_data(kind(**options, train="validation"))
    assert [data.size(s) for s in ("train", "validation", "test")] == [6, 2, 2]
    with pytest.raises(ConfigError, match=r"dataset.test=train is the split that dataset.train has; name another one"):
        build_data(kind(**options, test="train"))
    with pytest.raises(ConfigError, match=r"dataset.val=dev is the split that dataset.test has; name another one, or"):
        tables["dev"] = tables.pop("validation")
        datasets.DatasetDict(tables).save_to_disk(tmp_path / "other")
        build_data(kind(**options | {"path": str(tmp_path / "other")}, val="dev", test="dev"))


@pytest.mark.parametrize("kind", [TextConfig, HuggingFaceTextConfig])
def test_hidden_labels_of_a_test_are_none(tmp_path: Path, kind: Any) -> None:
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["a", "b"])})
    texts = [f"words and words {i}" for i in range(40)]
    tables = {
        "train": datasets.Dataset.from_dict({"text": texts, "label": [0, 1] * 20}, features=features),
        "test": datasets.Dataset.from_dict({"text": texts, "label": [-1] * 40}, features=features),
    }
    datasets.DatasetDict(tables).save_to_disk(tmp_path / "saved")
    data = build_data(kind(path=str(tmp_path / "saved"), **OPTIONS))
    assert data.classes == ("a", "b") and data.size("test") == 40 and data.labels("test") is None
    tables["train"] = datasets.Dataset.from_dict({"text": texts, "label": [0, None] * 20}, features=features)
    datasets.DatasetDict(tables).save_to_disk(tmp_path / "null")
    with pytest.raises(DataError, match=r"dataset.label=label: row 1 of .*train has no label; fill it in"):
        build_data(kind(path=str(tmp_path / "null"), **OPTIONS))
    tables["train"] = datasets.Dataset.from_dict({"text": texts, "label": [0, -1] * 20}, features=features)
    datasets.DatasetDict(tables).save_to_disk(tmp_path / "some")
    with pytest.raises(DataError, match=r"train has labels from -1 to 0|row 1 of .*some:train has no label"):
        build_data(kind(path=str(tmp_path / "some"), **OPTIONS))
