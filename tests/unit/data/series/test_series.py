"""Datasets of series out of files: lengths, channels, gaps, splits, normalisation, and what is said of wrong ones."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
import torch

from sslrun.config.dataset.series import SeriesConfig, WavesConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import SeriesBatch, ViewsBatch
from sslrun.data.build import build_data
from sslrun.data.series.series import SeriesData
from sslrun.data.series.tables import on_grid

HEADER = "# a comment\n@problemName Toy\n@timeStamps false\n@univariate false\n@classLabel true a b\n@data\n"


def toy(folder: Path, *, items: int = 12) -> Path:
    """Two channels of unequal lengths, one value missing in the first series."""
    lines = [f"{i},?,{i + 2}:{10 * i},{10 * i + 1}:{'ab'[i % 2]}" for i in range(items)]
    for part in ("TRAIN", "TEST"):
        (folder / f"Toy_{part}.ts").write_text(HEADER + "\n".join(lines) + "\n")
    return folder


def built(**options: object) -> SeriesData:
    data = build_data(SeriesConfig(name="own", **options))
    assert isinstance(data, SeriesData)
    return data


def hourly(path: Path, rows: int = 100, *, without: tuple[int, ...] = ()) -> Path:
    start = np.datetime64("2020-01-01T00:00")
    lines = [
        f"{str(start + np.timedelta64(i, 'h')).replace('T', ' ')}:00,{i},{-i},{'day' if i % 24 > 6 else 'night'}"
        for i in range(rows)
        if i not in without
    ]
    path.write_text("date,load,cold,part\n" + "\n".join(lines) + "\n")
    return path


def test_ts_has_channels_unequal_lengths_and_missing_values(tmp_path: Path) -> None:
    data = built(path=str(toy(tmp_path)), mean=[0.0, 0.0], std=[1.0, 1.0])
    assert data.classes == ("a", "b") and data.size("test") == 12 and data.size("train") == 11
    series = data.collate([data.evaluation("test")[0, i] for i in (3, 4)])
    nan = np.nan
    np.testing.assert_array_equal(series["series"][0].numpy(), [[3, 30], [nan, 31], [5, nan]])
    assert series["label"].tolist() == [1, 0] and series["series"].dtype == torch.float32


def test_values_are_normalised_by_train_alone(tmp_path: Path) -> None:
    for name, values in (("train", np.arange(40.0).reshape(10, 4, 1)), ("test", 1000 * np.ones((3, 4, 1)))):
        np.save(tmp_path / f"{name}.npy", values)
        np.save(tmp_path / f"{name}_labels.npy", np.arange(len(values)) % 2)
    data = built(path=str(tmp_path), validation=0.2)
    rows = torch.cat([torch.tensor(data.evaluation("train")[0, i]["series"]) for i in range(8)])
    assert rows.mean().item() == pytest.approx(0, abs=1e-6)
    assert rows.std(correction=0).item() == pytest.approx(1, rel=1e-5)
    assert data.evaluation("test")[0, 0]["series"][0, 0] == pytest.approx((1000 - data.mean[0]) / data.std[0], rel=1e-5)


def test_windows_do_not_cross_the_borders_of_splits(tmp_path: Path) -> None:
    path = hourly(tmp_path / "plant.csv")
    data = built(
        path=str(path), time="date", window=10, stride=5, borders=[60, 80, 100], mean=[0.0, 0.0], std=[1.0, 1.0]
    )
    firsts = {
        split: [int(data.evaluation(split)[0, i]["series"][0, 0]) for i in range(data.size(split))]
        for split in ("train", "validation", "test")
    }
    assert firsts == {"train": [*range(0, 51, 5)], "validation": [60, 65, 70], "test": [80, 85, 90]}
    assert data.classes is None and data.evaluation("train")[0, 0]["series"].shape == (10, 2)


def test_an_absent_validation_is_the_end_of_each_recording_of_train(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    hourly(tmp_path / "train" / "a.csv", 100)
    hourly(tmp_path / "train" / "b.csv", 50)
    hourly(tmp_path / "test.csv", 40)
    data = built(path=str(tmp_path), window=10, stride=2, validation=0.2, horizons=[2])
    assert [s[1:] for s in data.spans("validation")] == [(80, 100), (40, 50)]
    assert [s[1:] for s in data.spans("train")] == [(0, 80), (0, 40)] and data.spans("test")[0][1:] == (0, 40)
    train, validation = data.windows("train"), data.windows("validation")
    assert len(train) == 36 + 16 and len(validation) == 6 + 1
    for recording in (0, 1):
        behind = validation[validation[:, 0] == recording, 1].min()
        assert train[train[:, 0] == recording, 2].max() <= behind  # no row is in both


def test_an_absent_test_is_the_end_of_each_labelled_recording_and_cannot_be_forecast(tmp_path: Path) -> None:
    split = {"train": str(hourly(tmp_path / "a.csv")), "val": str(hourly(tmp_path / "b.csv", 40)), "window": 10}
    labelled = built(**split, stride=2, label="part")
    assert [s[1:] for s in labelled.spans("test")] == [(80, 100)] and labelled.windows("train")[:, 2].max() == 80
    assert built(**split).size("test") == 0
    with pytest.raises(DataError, match=r"^dataset.horizons=\[3\]: there is no test .*; name it by dataset.test, or"):
        built(**split, horizons=[3])


def test_gaps_in_time_become_missing_rows(tmp_path: Path) -> None:
    path = hourly(tmp_path / "plant.csv", without=(4, 5, 71))
    data = built(path=str(path), time="date", window=10, stride=10, mean=[0.0, 0.0], std=[1.0, 1.0])
    load = data.evaluation("train")[0, 0]["series"][:, 0]
    np.testing.assert_array_equal(load, [0, 1, 2, 3, np.nan, np.nan, 6, 7, 8, 9])


def test_a_window_has_the_class_of_most_of_its_rows(tmp_path: Path) -> None:
    data = built(path=str(hourly(tmp_path / "plant.csv", 240)), time="date", window=12, label="part")
    assert data.classes == ("day", "night")
    assert [data.evaluation("train")[0, i]["label"] for i in range(4)] == [1, 0, 1, 0]  # night: 7 of 12 rows, then none
    data = built(path=str(hourly(tmp_path / "plant.csv", 240)), time="date", window=8, label="part")
    assert [data.evaluation("train")[0, i]["label"] for i in range(4)] == [1, 0, 0, 1]


def test_parquet_is_read_as_csv_is(tmp_path: Path) -> None:
    table = pa.table({"t": [0.0, 0.5, 2.0], "x": [1.0, None, 3.0], "name": ["a", "b", "c"]})
    pa.parquet.write_table(table, tmp_path / "a.parquet")
    pa.parquet.write_table(table, tmp_path / "b.parquet")
    data = built(path=str(tmp_path), time="t", step=0.5, mean=[0.0], std=[1.0], validation=0.5)
    np.testing.assert_array_equal(data.evaluation("train")[0, 0]["series"][:, 0], [1, np.nan, np.nan, np.nan, 3])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_row_without_label_is_named(tmp_path: Path, ending: str) -> None:
    table = pa.table({"x": [1.0, 2.0, 3.0], "kind": [0, None, 1]})
    write = pa.csv.write_csv if ending == "csv" else pa.parquet.write_table
    write(table, tmp_path / f"a.{ending}")
    with pytest.raises(
        DataError, match=rf"^dataset.label=kind: row 1 of a.{ending} has no label; .*label=null for none"
    ):
        built(path=str(tmp_path / f"a.{ending}"), label="kind", window=4)


def test_views_are_a_function_of_where_they_stand(policy) -> None:  # type: ignore[no-untyped-def]
    data = build_data(WavesConfig(name="waves", items=60))
    items = data.training(policy("series_views"), batch_type=ViewsBatch, seed=1)
    first, again, other = items[0, 3]["views"], items[0, 3]["views"], items[1, 3]["views"]
    assert len(first) == 2
    for a, b in zip(first, again, strict=True):
        np.testing.assert_array_equal(a, b)
    assert first[0].shape != other[0].shape or not np.array_equal(first[0], other[0], equal_nan=True)
    batch = data.collate([items[0, i] for i in range(4)])
    assert batch["views"][0].shape == batch["views"][1].shape
    one = data.training(policy("series_views"), batch_type=SeriesBatch, seed=1)[0, 3]["series"]
    np.testing.assert_array_equal(one, first[0])


def test_waves_are_the_same_everywhere_and_have_gaps() -> None:
    a, b = (build_data(WavesConfig(name="waves", items=60)) for _ in range(2))
    assert a.fingerprint == b.fingerprint and len(a.classes or ()) == 5
    batch = a.collate([a.evaluation("train")[0, i] for i in range(a.size("train"))])
    assert 0.02 < batch["series"][:, :64].isnan().float().mean() < 0.03


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,2:a\n", "values before @data"),
        (HEADER, "no series after @data"),
        (HEADER.replace("@timeStamps false", "@timeStamps true") + "(0,1):a\n", "timestamps of their own"),
        (HEADER + "1,2:3,4:a\n1,2:b\n", "line 8: 1 channel"),
        (HEADER + "1,x:3,4:a\n", "line 7: could not convert"),
        (HEADER + "1,2:3,4:\n", "no class after the last colon"),
    ],
)
def test_wrong_ts_is_one_clear_line(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.ts"
    path.write_text(text)
    with pytest.raises(DataError, match=told) as error:
        built(path=str(path))
    assert "\n" not in str(error.value) and "bad.ts" in str(error.value)


@pytest.mark.parametrize(
    ("times", "told"),
    [
        ([0, 1, 1], "row 2 is not later"),
        ([0, 1, np.nan], "row 2 has no time"),
        ([0, 1, 2.5, 3.5], "row 2 lies between the steps of 1"),
        ([0, 1, 2, 1000], "cut the file into one for each recording"),
    ],
)
def test_wrong_times_are_named(times: list[float], told: str) -> None:
    with pytest.raises(DataError, match=told):
        on_grid(np.array(times, dtype=np.float64), step=None, where="x.csv, t")


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        built(path=str(tmp_path / "absent"))
    with pytest.raises(DataError, match=r"expected files of .ts, .csv"):
        built(path=str(tmp_path))
    path = hourly(tmp_path / "plant.csv")
    with pytest.raises(DataError, match=r"dataset.time=dat: no such column in plant.csv; did you mean 'date'"):
        built(path=str(path), time="dat")
    with pytest.raises(DataError, match="holds no numbers"):
        built(path=str(path), columns=["part"])
    with pytest.raises(DataError, match=r"dataset.borders=\[60, 80, 200\]: plant.csv has 100 rows"):
        built(path=str(path), window=10, borders=[60, 80, 200])
    with pytest.raises(ConfigError, match=r"dataset.std has 1 numbers; the series have 2 channels"):
        built(path=str(path), window=10, std=[1.0])
    with pytest.raises(DataError, match=r"dataset.window=null: .* one recording, of 100 rows; set dataset.window"):
        built(path=str(path))
    with pytest.raises(ConfigError, match=r"set dataset.window"):
        built(path=str(path), stride=10)


def test_a_transform_of_images_is_refused(policy) -> None:  # type: ignore[no-untyped-def]
    data = build_data(WavesConfig(name="waves", items=60))
    with pytest.raises(ConfigError, match=r"is no transform of series.*; choose e.g. augmentation=series_views"):
        data.training(policy("simclr"), batch_type=ViewsBatch, seed=0)
