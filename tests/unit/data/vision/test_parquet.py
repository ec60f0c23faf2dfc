import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sslrun.data.vision.parquet as room
from sslrun.config.errors import DataError

COLOURS = np.arange(60, dtype=np.uint8)


def image_bytes(value):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (int(value), 0, 0)).save(file, "PNG")
    return file.getvalue()


def write(path, *, image="image", label="label", labels=None, struct=True, names=None, group=7):
    encoded = [image_bytes(v) for v in COLOURS]
    labels = [int(v) % 3 for v in COLOURS] if labels is None else labels
    table = pa.table({image: [{"bytes": b, "path": None} for b in encoded] if struct else encoded, label: labels})
    if names:
        features = {"info": {"features": {label: {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pq.write_table(table, path, row_group_size=group)
    return str(path)


def reds(data, split):
    items = data.evaluation(split)
    return [int(items[0, i]["image"][0, 0, 0]) for i in range(len(items))]


@pytest.mark.parametrize("struct", [True, False])
def test_rows_become_images_with_their_labels(dataset, tmp_path, struct):
    data = dataset("parquet", train=write(tmp_path / "a.parquet", struct=struct), image_size=8)
    seen = {split: reds(data, split) for split in ("train", "validation", "test")}
    assert sorted(v for values in seen.values() for v in values) == COLOURS.tolist()
    for split, values in seen.items():
        assert [v % 3 for v in values] == data.labels(split).tolist()
    assert data.classes == ("0", "1", "2")


def test_class_names_come_from_the_schema(dataset, tmp_path):
    data = dataset("parquet", train=write(tmp_path / "a.parquet", names=["cat", "dog", "eel", "fox"]), image_size=8)
    assert data.classes == ("cat", "dog", "eel", "fox")


def test_strings_are_numbered_in_sorted_order(dataset, tmp_path):
    words = [["pear", "apple", "fig"][v % 3] for v in COLOURS]
    data = dataset("parquet", train=write(tmp_path / "a.parquet", labels=words), image_size=8)
    assert data.classes == ("apple", "fig", "pear")
    assert [words[v] for v in reds(data, "train")] == [data.classes[i] for i in data.labels("train")]


def test_hidden_test_labels_are_none(dataset, tmp_path):
    train = write(tmp_path / "a.parquet", names=["x", "y", "z"])
    test = write(tmp_path / "b.parquet", labels=[-1] * 60, names=["x", "y", "z"])
    data = dataset("parquet", train=train, test=test, image_size=8)
    assert data.labels("test") is None and data.labels("train") is not None


def test_folders_and_patterns_are_several_files_as_one(dataset, tmp_path):
    for name in ("x-0.parquet", "x-1.parquet"):
        write(tmp_path / name)
    for train in (str(tmp_path), str(tmp_path / "x-*.parquet")):
        data = dataset("parquet", train=train, image_size=8)
        assert sum(data.size(s) for s in ("train", "validation", "test")) == 120
    assert data._sources["train"].name(60).endswith("/x-1.parquet:0")


def test_no_labels_where_told(dataset, tmp_path):
    data = dataset("parquet", train=write(tmp_path / "a.parquet"), label=None, image_size=8)
    assert data.classes is None and data.size("test") == 0


def test_large_files_are_mapped(dataset, tmp_path, cache_folder, monkeypatch):
    held = dataset("parquet", train=write(tmp_path / "a.parquet"), image_size=8, cache="never")
    monkeypatch.setattr(room, "IN_MEMORY_BYTES", 0)
    mapped = dataset("parquet", train=str(tmp_path / "a.parquet"), image_size=8, cache="never")
    assert len(list(cache_folder.glob("*.arrow"))) == 1
    assert reds(mapped, "train") == reds(held, "train")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": "img"}, r"dataset.image=img: no such column in .*; did you mean 'image'\?; it has image, label"),
        ({"label": "lable"}, r"dataset.label=lable: .*did you mean 'label'\?.*dataset.label=null for none"),
        ({"image": "label"}, r"dataset.image=label: column of .* holds int64; expected bytes"),
        ({"train": "nowhere.parquet"}, "dataset.train=nowhere.parquet: no parquet file there"),
    ],
)
def test_what_is_wrong_is_named(dataset, tmp_path, changes, message):
    with pytest.raises(DataError, match=message):
        dataset("parquet", **({"train": write(tmp_path / "a.parquet")} | changes))


def test_another_file_is_no_parquet(dataset, tmp_path):
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(DataError, match="is no parquet file"):
        dataset("parquet", train=str(tmp_path / "a.parquet"))


def test_a_file_of_two_splits_is_refused(dataset, tmp_path):
    test = write(tmp_path / "test.parquet")
    write(tmp_path / "train.parquet")
    with pytest.raises(DataError, match=r"dataset.train and dataset.test both hold .*/test.parquet"):
        dataset("parquet", train=str(tmp_path), test=test, image_size=8)


def test_files_of_one_name_in_two_splits_are_told_apart(dataset, tmp_path):
    paths = {}
    for split in ("train", "test"):
        (tmp_path / split).mkdir()
        paths[split] = write(tmp_path / split / "0000.parquet")
    data = dataset("parquet", **paths, image_size=8)
    assert [data._sources[s].name(5) for s in paths] == ["train/0000.parquet:5", "test/0000.parquet:5"]


@pytest.mark.parametrize("empty", ["", None])
def test_an_empty_label_is_named(dataset, tmp_path, empty):
    words = ["fig" if v % 2 else "pear" for v in COLOURS]
    words[4] = empty
    with pytest.raises(DataError, match=r"dataset.label=label: row 4 of .*a.parquet has no label"):
        dataset("parquet", train=write(tmp_path / "a.parquet", labels=words), image_size=8)


def test_lists_are_no_labels(dataset, tmp_path):
    with pytest.raises(DataError, match=r"column of .*a.parquet holds list<.*>; expected one label a row"):
        dataset("parquet", train=write(tmp_path / "a.parquet", labels=[[1] for _ in COLOURS]), image_size=8)
