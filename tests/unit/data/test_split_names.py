"""Parts of a dataset that are named test are never trained on."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from small import write_hours, write_recordings, write_texts
from sslrun.config.compose import compose
from sslrun.config.dataset.audio import AudioConfig
from sslrun.config.dataset.pairs import PairsConfig
from sslrun.config.dataset.series import SeriesConfig
from sslrun.config.dataset.text import TextConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.data.build import build_data
from sslrun.data.folders import walk
from sslrun.data.split_names import split_named


def test_names_of_splits() -> None:
    told = {"Train": "train", "training": "train", "dev": "validation", "test-00000-of-00002": "test", "tests": None}
    told |= {"training_shoes": None, "train_0": "train", "test.3": "test", "10": None}
    assert {name: split_named(name) for name in told} == told


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
    with pytest.raises(DataError, match=r"has test-00000-of-00001 but no train"):
        build_data(TextConfig(name="made", path=str(tmp_path)))


def test_a_test_part_of_sounds_or_series_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path / "sounds" / "testing", count=8)
    with pytest.raises(DataError, match=r"has testing but no train"):
        build_data(AudioConfig(name="made", path=str(tmp_path / "sounds"), cache_dir=str(tmp_path / "cache")))
    (tmp_path / "series").mkdir()
    write_hours(tmp_path / "series" / "test.csv")
    with pytest.raises(DataError, match=r"has test but no train|has test, test but no train"):
        build_data(SeriesConfig(name="made", path=str(tmp_path / "series"), window=24))


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
