"""Parts of a dataset that are named test are never trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from small import write_hours, write_pairs, write_recordings, write_texts
from sslrun.config.compose import compose
from sslrun.config.dataset.audio import AudioConfig
from sslrun.config.dataset.pairs import PairsConfig
from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.dataset.text import TextConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.data.build import build_data
from sslrun.data.folders import walk
from sslrun.data.split_names import find_splits, split_named


def test_names_of_splits() -> None:
    splits = {"Train": "train", "training": "train", "dev": "validation", "TEST": "test", "tests": None}
    splits |= {"training_shoes": None, "train_0": None, "10": None}
    assert {name: split_named(name) for name in splits} == splits


def test_splits_are_found_by_name_train_first(tmp_path: Path) -> None:
    names = ("Test", "Training", "dev", "notes")
    assert find_splits(tmp_path, [(n, tmp_path / n) for n in names]) == {
        "train": tmp_path / "Training",
        "validation": tmp_path / "dev",
        "test": tmp_path / "Test",
    }
    assert find_splits(tmp_path, [("notes", tmp_path / "notes")]) == {}
    with pytest.raises(DataError, match=r"both Train and training could be train; rename or move one"):
        find_splits(tmp_path, [(n, tmp_path / n) for n in ("training", "Train")])


@pytest.mark.parametrize("name", ["test-00000-of-00001", "test_0", "validation.3"])
def test_files_are_shards_of_a_split_and_folders_are_not(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"has {name} but no train"):
        find_splits(tmp_path, [(name, tmp_path / name)])
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    assert find_splits(tmp_path, [(name, tmp_path / name)]) == {}


def test_a_test_folder_of_images_without_train_is_refused(tmp_path: Path) -> None:
    for name in ("cats", "dogs", "test"):
        (tmp_path / name).mkdir()
        Image.fromarray(np.zeros((8, 8, 3), dtype=np.uint8)).save(tmp_path / name / "a.png")
    config: Any = compose("pretrain", ["dataset=imagefolder", f"dataset.root={tmp_path}"])
    with pytest.raises(DataError, match=r"has test but no train, so all of it would be trained on"):
        build_data(config.dataset)


def test_shards_of_a_test_without_train_are_refused(tmp_path: Path) -> None:
    for name in ("train-00000-of-00001", "test-00000-of-00001"):
        write_texts(tmp_path / f"{name}.jsonl", count=10)
    with pytest.raises(DataError, match=r"has test-00000-of-00001.jsonl but no train"):
        build_data(TextConfig(name="made", path=str(tmp_path)))


def test_a_test_part_of_recordings_or_series_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path / "audio" / "testing", count=8)
    with pytest.raises(DataError, match=r"has testing but no train"):
        build_data(AudioConfig(name="made", path=str(tmp_path / "audio"), cache_dir=str(tmp_path / "cache")))
    for name in ("test", "test-00000-of-00001"):
        folder = tmp_path / "series" / name
        folder.mkdir(parents=True)
        write_hours(folder / f"{name}.csv")
        with pytest.raises(DataError, match=rf"has {name}.csv but no train"):
            build_data(SeriesConfig(name="made", path=str(folder), window=24))


def test_splits_with_capitals_are_splits_of_every_modality(tmp_path: Path) -> None:
    for split, count in (("Train", 20), ("Test", 8)):
        write_recordings(tmp_path / "audio" / split, count=count)
        (tmp_path / "texts").mkdir(exist_ok=True)
        write_texts(tmp_path / "texts" / f"{split}.jsonl", count=count)
        (tmp_path / "pairs").mkdir(exist_ok=True)
        write_pairs(tmp_path / "pairs" / f"{split}.parquet", count=count)
    found = {
        "audio": AudioConfig(name="made", path=str(tmp_path / "audio"), cache_dir=str(tmp_path / "cache")),
        "texts": TextConfig(name="made", path=str(tmp_path / "texts"), vocab_size=300),
        "pairs": PairsConfig(name="made", path=str(tmp_path / "pairs"), caption="text", vocab_size=300),
    }
    assert {name: build_data(config).size("test") for name, config in found.items()} == dict.fromkeys(found, 8)


@pytest.mark.parametrize("kind", [AudioConfig, PairsConfig, SeriesConfig])
def test_a_path_beside_a_named_split_is_refused(kind: Any) -> None:
    with pytest.raises(ConfigError, match=r"dataset.path=/a and dataset.test both say where data are"):
        kind(name="x", path="/a", test="/b")


def test_a_file_of_texts_beside_a_named_split_is_refused(tmp_path: Path) -> None:
    path = write_texts(tmp_path / "made.jsonl", count=10)
    with pytest.raises(ConfigError, match=r"and dataset.test both say where data are"):
        build_data(TextConfig(name="made", path=str(path), test="test"))


def test_a_folder_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere cannot be read: No such file"):
        list(walk(tmp_path / "nowhere"))
