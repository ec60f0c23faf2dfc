"""Datasets of images with captions: tables of every kind, splits, choice of captions, equal captions, errors."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import PairBatch, ViewsBatch
from sslrun.data.build import build_data
from sslrun.data.pairs.pairs import PairData
from sslrun.data.randomness import Randomness

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}
CACHE = "dataset.cache=never"


def picture(path: Path, index: int) -> None:
    colour = list(COLOURS.values())[index % 4]
    Image.new("RGB", (12, 12), colour).save(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 pictures of four colours, as files and in parquet, each with two captions."""
    folder = tmp_path_factory.mktemp("pairs")
    rows = []
    for i in range(24):
        picture(folder / f"{i}.png", i)
        colour = list(COLOURS)[i % 4]
        rows.append({"file": f"{i}.png", "said": [f"A {colour} square.", f"number {i}"], "kind": colour, "shop": i % 3})
    lines = [f'{row["file"]},"{text}",{row["kind"]}' for row in rows for text in row["said"]]
    (folder / "captions.csv").write_text("image,caption,kind\n" + "\n".join(lines) + "\n")
    (folder / "rows.json").write_text(json.dumps([{"image": r["file"], "caption": r["said"]} for r in rows]))
    images = [{"id": 100 + i, "file_name": row["file"]} for i, row in enumerate(rows)]
    notes = [{"image_id": 100 + i, "caption": text} for i, row in enumerate(rows) for text in row["said"]]
    (folder / "coco.json").write_text(json.dumps({"images": images, "annotations": notes}))
    table = {
        "image": [{"bytes": (folder / row["file"]).read_bytes(), "path": None} for row in rows],
        "caption": [row["said"] for row in rows],
        "kind": [row["kind"] for row in rows],
        "shop": [row["shop"] for row in rows],
    }
    pq.write_table(pa.table(table), folder / "rows.parquet")
    nulls = table | {"kind": [None if i == 3 else row["kind"] for i, row in enumerate(rows)]}
    pq.write_table(pa.table(nulls), folder / "nulls.parquet")
    return folder


def data_of(*overrides: str) -> PairData:
    config = compose("pretrain", ["method=clip", "dataset=pairs", "dataset.image_size=12", CACHE, *overrides])
    data = build_data(config.dataset)  # type: ignore[attr-defined]
    assert isinstance(data, PairData)
    return data


def everything(data: PairData) -> dict[str, tuple[str, ...]]:
    """Captions by the number that one of them names."""
    return {c[1].split()[-1]: c for split in ("train", "validation", "test") for c in data.captions(split)}


def test_all_kinds_of_tables_are_the_same(folder: Path) -> None:
    read = [
        data_of(f"dataset.path={folder / name}") for name in ("rows.parquet", "captions.csv", "rows.json", "coco.json")
    ]
    for data in read:
        assert [data.size(split) for split in ("train", "validation", "test")] == [17, 2, 5]
        assert everything(data) == everything(read[0]) and len(everything(data)) == 24
    item = read[1].evaluation("test")[0, 0]
    number = int(read[1].captions("test")[0][1].split()[-1])
    assert tuple(item["image"][0, 0]) == list(COLOURS.values())[number % 4]


def test_an_item_is_an_image_and_one_of_its_captions(folder: Path) -> None:
    data = data_of(f"dataset.path={folder / 'rows.parquet'}", "augmentation=none")
    config = compose("pretrain", ["method=clip", "augmentation=none"])
    items = data.training(config.augmentation, batch_type=PairBatch, seed=0)  # type: ignore[attr-defined]
    seen: dict[int, set[str]] = {}
    for epoch in range(40):
        for position in range(len(items)):
            item = items[epoch, position]
            seen.setdefault(position, set()).add(data.tokenizer.decode(item["input_ids"]))
            again = items[epoch, position]
            assert np.array_equal(item["input_ids"], again["input_ids"])
    for position, texts in seen.items():
        square, number = data.captions("train")[position]
        assert texts == {square.lower(), number}
    batch = data.collate([items[0, i] for i in range(8)])
    assert batch["image"].shape == (8, 3, 12, 12) and batch["input_ids"].shape[1] % 8 == 0
    texts = [data.tokenizer.decode(ids) for ids in batch["input_ids"]]
    for i in range(8):
        for j in range(8):
            assert (batch["caption"][i] == batch["caption"][j]) == (texts[i] == texts[j])


def test_captions_are_chosen_apart_from_views() -> None:
    randomness = Randomness()
    randomness.set(seed=1, epoch=2, index=3, view=0)
    first = randomness.numpy.random()
    randomness.set(seed=1, epoch=2, index=3, view=2**16 - 1)
    assert randomness.numpy.random() != first


def test_it_is_a_dataset_of_images_too(folder: Path) -> None:
    data = data_of(f"dataset.path={folder / 'rows.parquet'}", "dataset.label=kind")
    assert data.classes == ("blue", "green", "red", "white")
    for position, captions in enumerate(data.captions("test")):
        labels = data.labels("test")
        assert labels is not None and captions[0].split()[1] == data.classes[labels[position]]
    policy = compose("pretrain", ["method=simclr", "augmentation=weak"]).augmentation  # type: ignore[attr-defined]
    item = data.training(policy, batch_type=ViewsBatch, seed=0)[0, 0]
    assert "input_ids" not in item and len(item["views"]) == 1


def test_what_belongs_together_stays_together(folder: Path) -> None:
    data = data_of(f"dataset.path={folder / 'rows.parquet'}", "dataset.together=kind", "dataset.validation=0.3")
    colours = [{c[0] for c in data.captions(split)} for split in ("train", "validation", "test")]
    assert all(colours) and sum(map(len, colours)) == 4


def test_a_column_tells_the_test_split(folder: Path) -> None:
    chosen = ["dataset.test_column=shop", "dataset.test_values=[2]"]
    data = data_of(f"dataset.path={folder / 'rows.parquet'}", *chosen)
    assert {int(c[1].split()[-1]) % 3 for c in data.captions("test")} == {2} and data.size("test") == 8
    assert {int(c[1].split()[-1]) % 3 for c in data.captions("train")} == {0, 1}


def test_an_image_without_a_caption_is_left_out(folder: Path, tmp_path: Path) -> None:
    table = pq.read_table(folder / "rows.parquet").to_pydict()
    table["caption"][3] = ["  "]
    pq.write_table(pa.table(table), tmp_path / "rows.parquet")
    with pytest.raises(DataError, match=r"1 of 24 images cannot be read .*rows.parquet:3: no caption"):
        data_of(f"dataset.path={tmp_path / 'rows.parquet'}", "dataset.cache=always")
    data = data_of(f"dataset.path={tmp_path / 'rows.parquet'}", "dataset.cache=always", "dataset.max_corrupt=0.1")
    assert data.corrupt == [f"{tmp_path.name}/rows.parquet:3"] and len(everything(data)) == 23


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (["dataset.path={}/rows.parquet", "dataset.caption=said"], "dataset.caption=said: no such column"),
        (["dataset.path={}/rows.parquet", "dataset.caption=shop"], "caption=shop: .* holds int there, not text"),
        (["dataset.path={}/rows.parquet", "dataset.image=pic"], "dataset.image=pic: no such column"),
        (["dataset.path={}/captions.csv", "dataset.label=colour"], "dataset.label=colour: no such column"),
        (["dataset.path={}/nulls.parquet", "dataset.label=kind"], r"label=kind: row 3 of \w+ has no label; fill it in"),
        (["dataset.path={}/captions.csv", "dataset.images=/nowhere"], r"captions.csv\[0\]: no image /nowhere/0.png"),
        (["dataset.path={}/none.csv"], "none.csv: no such file"),
        (["dataset.path={}"], "expected train.csv, test.csv or one table .*; found captions.csv, coco.json, nulls.p"),
        (
            ["dataset.path={}/rows.parquet", "dataset.test_column=shop", "dataset.test_values=[7]"],
            r"dataset.test_values=\[7\] takes 0 of 24 images by column shop; some must be left",
        ),
    ],
)  # fmt: skip
def test_errors_name_what_is_wrong(folder: Path, overrides: list[str], error: str) -> None:
    with pytest.raises(DataError, match=error):
        data_of(*(o.format(folder) for o in overrides))


@pytest.mark.parametrize(
    ("overrides", "error"),
    [([], "dataset.path is not set"), (["dataset.path=x", "dataset.test_column=shop"], "go together; one of them")],
)
def test_settings_are_checked(overrides: list[str], error: str) -> None:
    with pytest.raises(ConfigError, match=error):
        data_of(*overrides)


def test_digit_sentences_say_what_is_written() -> None:
    config: Any = compose("pretrain", ["method=clip"])
    data = build_data(config.dataset)
    assert isinstance(data, PairData) and data.classes is not None
    assert [data.size(split) for split in ("train", "validation", "test")] == [1131, 126, 540]
    labels = data.labels("test")
    assert labels is not None
    for captions, label in zip(data.captions("test"), labels, strict=True):
        assert len(captions) == 5 and all(data.classes[label] in text for text in captions)
    places = {text.rsplit(" is ")[1] for captions in data.captions("train") for text in captions[-1:]}
    assert len(places) == 3
