import numpy as np
import pytest
from PIL import Image

from sslrun.config.errors import ConfigError, DataError

datasets = pytest.importorskip("datasets", reason="the extra [hf] is not installed")


@pytest.fixture
def saved(tmp_path):
    features = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=["even", "odd"])})
    rows = {"image": [Image.new("RGB", (8, 8), (v, 0, 0)) for v in range(40)], "label": [v % 2 for v in range(40)]}
    table = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": table, "test": table.select(range(10))}).save_to_disk(tmp_path / "saved")
    return str(tmp_path / "saved")


def test_a_saved_dataset(dataset, saved):
    data = dataset("hf", path=saved, image_size=8)
    assert data.classes == ("even", "odd")
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 36, "validation": 4, "test": 10}
    items = data.evaluation("train")
    seen = [int(items[0, i]["image"][0, 0, 0]) for i in range(36)]
    assert [v % 2 for v in seen] == data.labels("train").tolist()
    np.testing.assert_array_equal(data.labels("test"), np.arange(10) % 2)


def test_validation_is_never_test(dataset, saved):
    loaded = datasets.load_from_disk(saved)
    loaded["validation"] = loaded.pop("test")
    loaded.save_to_disk(f"{saved}-two")
    data = dataset("hf", path=f"{saved}-two", image_size=8, test="validation")
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 36, "validation": 4, "test": 10}
    with pytest.raises(ConfigError, match=r"dataset.val=test is the split that dataset.test has; .*leave dataset.val"):
        dataset("hf", path=saved, image_size=8, val="test")


def photographs(count, seed):
    """PIL images of 10x8, no two alike."""
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 10, 8, 3), np.uint8)
    return [Image.fromarray(p) for p in pixels]


def table(count, *, seed, label):
    """PNG bytes within the table, as the hub stores them."""
    features = datasets.Features({"img": datasets.Image(), "fine": label})
    names = ["eel", "fox", "cat"]
    values = [i % 3 if isinstance(label, datasets.ClassLabel) else names[i % 3] for i in range(count)]
    return datasets.Dataset.from_dict({"img": photographs(count, seed), "fine": values}, features=features)


def assert_same(data, split, pictures, names):
    """Every item of a split is one of the pictures, cut to 8x8, with its own class."""
    known = {np.asarray(p)[1:9].tobytes(): i for i, p in enumerate(pictures)}
    items, labels = data.evaluation(split), data.labels(split)
    positions = [known[items[0, i]["image"].tobytes()] for i in range(len(items))]
    assert [data.classes[label] for label in labels] == [names[p % 3] for p in positions]
    return sorted(positions)


def test_a_local_folder_of_parquet_files_as_the_hub_lays_them_out(dataset, tmp_path):
    folder, names = tmp_path / "mine" / "data", ["cat", "dog", "eel"]
    folder.mkdir(parents=True)
    label = datasets.ClassLabel(names=names)
    whole = table(30, seed=0, label=label)
    for shard in range(2):
        whole.shard(2, shard, contiguous=True).to_parquet(folder / f"train-0000{shard}-of-00002.parquet")
    table(9, seed=1, label=label).to_parquet(folder / "test-00000-of-00001.parquet")
    options = {"cache_dir": str(tmp_path / "hf")}
    data = dataset("hf", path=str(tmp_path / "mine"), image="img", label="fine", image_size=8, options=options)
    assert data.classes == tuple(names)
    assert assert_same(data, "test", photographs(9, 1), names) == list(range(9))
    cut = [p for s in ("train", "validation") for p in assert_same(data, s, photographs(30, 0), names)]
    assert sorted(cut) == list(range(30))


def test_a_saved_table_without_splits_and_with_words_as_labels(dataset, tmp_path):
    table(30, seed=0, label=datasets.Value("string")).save_to_disk(tmp_path / "saved")
    data = dataset("hf", path=str(tmp_path / "saved"), image="img", label="fine", image_size=8)
    assert data.classes == ("cat", "eel", "fox")
    splits = ("train", "validation", "test")
    cut = [p for s in splits for p in assert_same(data, s, photographs(30, 0), ["eel", "fox", "cat"])]
    assert sorted(cut) == list(range(30)) and all(data.size(s) for s in splits)


def test_wrong_names_are_told(dataset, saved, tmp_path):
    with pytest.raises(DataError, match=r"dataset.train=trian: .* has no such split; did you mean 'train'\?"):
        dataset("hf", path=saved, train="trian")
    with pytest.raises(DataError, match=r"dataset.image=img: no such column .* it has image, label"):
        dataset("hf", path=saved, image="img")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"dataset.path=.*empty cannot be loaded"):
        dataset("hf", path=str(tmp_path / "empty"))


def test_a_split_that_is_not_there_is_named(dataset, saved):
    with pytest.raises(DataError, match=r"dataset.test=tset: .* has no such split; did you mean 'test'\?; it has"):
        dataset("hf", path=saved, image_size=8, test="tset")
