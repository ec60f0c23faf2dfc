"""Texts out of files."""

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sslrun.config.dataset.text import TextConfig, Unit
from sslrun.config.errors import DataError
from sslrun.data.build import build_data
from sslrun.data.text.files import read_sources

ROWS = [{"text": "the sea is wide", "label": "sea"}, {"text": 'a "field" of wheat', "label": "land"}]


def config(path: Path, **options: object) -> TextConfig:
    return TextConfig(name="made", path=str(path), **options)  # type: ignore[arg-type]


def write(path: Path, ending: str) -> Path:
    file = path / f"rows.{ending}"
    if ending == "jsonl":
        file.write_text("\n".join(json.dumps(row) for row in ROWS))
    elif ending == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), file)
    elif ending == "csv":
        file.write_text('text,label\nthe sea is wide,sea\n"a ""field"" of wheat",land\n')
    else:
        file.write_text('text\tlabel\nthe sea is wide\tsea\na "field" of wheat\tland\n')
    return file


@pytest.mark.parametrize("ending", ["jsonl", "parquet", "csv", "tsv"])
def test_tables_of_every_kind_say_the_same(tmp_path: Path, ending: str) -> None:
    train = read_sources(config(write(tmp_path, ending)))["train"]
    assert train.texts == [row["text"] for row in ROWS]
    assert train.values is not None and train.values.tolist() == ["sea", "land"]


def test_a_file_without_names_gets_them(tmp_path: Path) -> None:
    (tmp_path / "rows.tsv").write_text("the sea\tsea\na field\tland\n")
    read = read_sources(config(tmp_path / "rows.tsv", columns=["body", "kind"], text="body", label="kind"))
    assert read["train"].texts == ["the sea", "a field"]


def test_class_folders_and_splits(tmp_path: Path) -> None:
    for split in ("train", "test"):
        for label in ("land", "sea"):
            folder = tmp_path / split / label
            folder.mkdir(parents=True)
            (folder / "1.txt").write_text(f"{split} {label}")
    read = read_sources(config(tmp_path))
    assert sorted(read) == ["test", "train"]
    assert read["test"].texts == ["test land", "test sea"]
    assert read["test"].values is not None and read["test"].values.tolist() == ["land", "sea"]


@pytest.mark.parametrize(("unit", "count"), [(Unit.file, 1), (Unit.paragraph, 2), (Unit.line, 3)])
def test_what_a_document_is(tmp_path: Path, unit: Unit, count: int) -> None:
    (tmp_path / "all.txt").write_text("one\ntwo\n\nthree\n")
    assert len(read_sources(config(tmp_path / "all.txt", unit=unit))["train"]) == count


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "txt"}, r"dataset.text=txt: no such column in rows.jsonl; did you mean 'text'\?; it has text, label"),
        ({"label": "class"}, r"dataset.label=class: no such column.*; it has text, label; dataset.label=null for none"),
    ],
)
def test_a_wrong_column_names_those_that_are_there(tmp_path: Path, options: dict[str, str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_sources(config(write(tmp_path, "jsonl"), **options))


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_an_empty_file_is_told(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"none.{ending}").touch()
    with pytest.raises(DataError, match=rf"none.{ending} holds no rows"):
        read_sources(config(tmp_path / f"none.{ending}"))


@pytest.mark.parametrize("line", ['{"text": "b", "label": null}', '{"text": "b"}', '{"text": "b", "label": ""}'])
def test_a_row_without_label_is_named(tmp_path: Path, line: str) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a", "label": "x"}\n' + line)
    with pytest.raises(
        DataError, match=r"^dataset.label=label: row 1 of rows.jsonl has no label; .*label=null for none"
    ):
        read_sources(config(tmp_path / "rows.jsonl"))


def test_a_folder_without_texts(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no texts under .*; expected files of .txt, .jsonl"):
        read_sources(config(tmp_path))


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "a"\n')
    with pytest.raises(DataError, match=r"rows.jsonl cannot be read: "):
        read_sources(config(tmp_path / "rows.jsonl"))


def test_rows_of_unequal_length_are_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,b,c\n")
    with pytest.raises(DataError, match=r"row 0 has 3 columns, not 2 \(text, label\)"):
        read_sources(config(tmp_path / "rows.csv"))


def test_empty_texts_are_left_out_up_to_a_share(tmp_path: Path) -> None:
    rows = [{"text": " " if i == 7 else f"word{i} of it", "label": str(i % 2)} for i in range(40)]
    file = tmp_path / "rows.jsonl"
    file.write_text("\n".join(json.dumps(row) for row in rows))
    data = build_data(config(file, max_corrupt=0.05))
    assert data.corrupt == ["rows.jsonl[7]"]
    assert sum(data.size(split) for split in ("train", "validation", "test")) == 39
    with pytest.raises(
        DataError, match=r"1 of 40 texts are empty \(first: rows.jsonl\[7\]\); more than dataset.max_corrupt=0.01"
    ):
        build_data(config(file))


def test_nothing_but_empty_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("  \n")
    with pytest.raises(DataError, match="train has no text in any of its 1 documents"):
        build_data(config(tmp_path / "a.txt", label=None))


def test_a_dataset_that_the_library_saved(tmp_path: Path) -> None:
    import datasets

    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["sea", "land"])}
    )
    table = datasets.Dataset.from_dict({"text": ["a", "b"], "label": [1, 0]}, features=features)
    datasets.DatasetDict({"train": table, "test": table}).save_to_disk(tmp_path / "saved")
    read = read_sources(config(tmp_path / "saved"))
    assert sorted(read) == ["test", "train"]
    assert read["train"].values is not None and read["train"].values.tolist() == ["land", "sea"]


@pytest.mark.parametrize("path", ["./nowhere", "/nowhere/x", "a/b/c.txt"])
def test_a_path_that_cannot_be_a_name_of_the_hub_is_not_looked_up_there(path: str) -> None:
    with pytest.raises(DataError, match=f"dataset.path={re.escape(path)}: no such file or folder"):
        read_sources(TextConfig(name="made", path=path))
