import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from sslrun.config.errors import DataError
from sslrun.core.batch import ImageBatch, ViewsBatch
from sslrun.data.loader import ItemLoader, RunSampler


@pytest.fixture
def folder(tmp_path):
    """100 images of 12x12, number i all of grey value i."""
    (tmp_path / "d").mkdir()
    for i in range(100):
        Image.new("RGB", (12, 12), (i, i, i)).save(tmp_path / "d" / f"{i:03}.png")
    return tmp_path / "d"


def tear(folder, *numbers):
    for i in numbers:
        path = folder / f"{i:03}.png"
        path.write_bytes(path.read_bytes()[:50])


def test_digits_are_those_of_the_published_baseline(dataset):
    data, raw = dataset("digits"), load_digits()
    _, test = train_test_split(np.arange(1797), test_size=0.3, stratify=raw.target, random_state=0)
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 1131, "validation": 126, "test": 540}
    np.testing.assert_array_equal(data.labels("test"), raw.target[test])
    item = data.evaluation("test")[0, 7]
    np.testing.assert_array_equal(item["image"][..., 0], np.round(raw.images[test[7]] * 255 / 16))


def test_batches_hold_uint8_views_indices_and_labels(dataset, policy):
    data = dataset("digits")
    items = data.training(policy("digits"), batch_type=ViewsBatch, seed=0)
    batch = data.collate([items[2, i] for i in (5, 0, 9)])
    assert [v.shape for v in batch["views"]] == [(3, 1, 8, 8)] * 2 and batch["views"][0].dtype == torch.uint8
    assert batch["index"].tolist() == [5, 0, 9]
    assert batch["label"].tolist() == data.labels("train")[[5, 0, 9]].tolist()


def test_an_image_batch_is_the_first_view(dataset, policy):
    data = dataset("digits")
    views = data.training(policy("digits"), batch_type=ViewsBatch, seed=0)[1, 3]["views"]
    image = data.training(policy("digits"), batch_type=ImageBatch, seed=0)[1, 3]["image"]
    np.testing.assert_array_equal(views[0], image)


def test_prepared_training_pixels_have_mean_0_and_std_1(dataset):
    data = dataset("digits")
    items = data.evaluation("train")
    batch = data.prepare()(data.collate([items[0, i] for i in range(len(items))]))
    assert abs(float(batch["image"].mean())) < 1e-2 and abs(float(batch["image"].std()) - 1) < 1e-2


def test_the_cut_off_images_are_nobodys_but_theirs(dataset, folder):
    data = dataset("imagefolder", root=str(folder), image_size=12)
    items = [data.evaluation(s)[0, i] for s in ("train", "validation") for i in range(data.size(s))]
    assert sorted(int(i["image"].max()) for i in items) == list(range(100))


def test_on_the_fly_equals_cached(dataset, folder):
    cached, fresh = (dataset("imagefolder", root=str(folder), image_size=9, cache=c) for c in ("always", "never"))
    for position in (0, 50, 89):
        a, b = (d.evaluation("train")[0, position]["image"] for d in (cached, fresh))
        assert a.shape == b.shape == (9, 9, 3)
        np.testing.assert_array_equal(a, b)


def test_an_unreadable_image_on_the_fly_gives_the_next_one_and_is_named(dataset, policy, folder):
    data = dataset("imagefolder", root=str(folder), image_size=12, cache="never", max_corrupt=0.02)
    positions = data._parts["train"].positions
    tear(folder, positions[4])
    items = data.training(policy("none"), batch_type=ViewsBatch, seed=0)
    item = items[0, 4]
    assert item["corrupt"] == [4] and item["index"] == 5 and item["views"][0][0, 0, 0] == positions[5]
    sampler = RunSampler(len(items), batch_size=30, total_steps=6, start=lambda: 0, seed=0)
    batches = list(ItemLoader(data, items, sampler, workers=1))
    assert len(batches) == 6 and all(len(b["index"]) == 30 and "corrupt" not in b for b in batches)
    assert data.corrupt == [f"d/{positions[4]:03}.png"]


def test_too_many_unreadable_images_on_the_fly_stop_the_run(dataset, policy, folder):
    data = dataset("imagefolder", root=str(folder), image_size=12, cache="never", max_corrupt=0.02)
    tear(folder, *data._parts["train"].positions[[1, 2, 3]])
    items = data.training(policy("none"), batch_type=ViewsBatch, seed=0)
    sampler = RunSampler(len(items), batch_size=90, total_steps=1, start=lambda: 0, seed=0)
    with pytest.raises(DataError, match=r"3 of 100 images cannot be read \(first: d/\d+.png: .*max_corrupt=0.02"):
        list(ItemLoader(data, items, sampler, workers=1))


def test_evaluation_leaves_an_unreadable_image_out(dataset, folder):
    data = dataset("imagefolder", root=str(folder), image_size=12, cache="never", max_corrupt=0.02)
    tear(folder, data._parts["train"].positions[1])
    items = data.evaluation("train")
    batch = data.collate([items[0, i] for i in range(3)])
    assert batch["index"].tolist() == [0, 2] and batch["corrupt"] == [1] and len(batch["image"]) == 2


def test_describe_names_what_was_left_out(dataset, policy):
    data = dataset("digits")
    data.training(policy("simclr"), batch_type=ViewsBatch, seed=0)
    lines = data.describe()
    assert lines["dataset"] == "digits: 1,131 train, 126 validation, 540 test; 10 classes"
    assert "HorizontalFlip" in lines["left out"]


def test_absent_torchvision_files_name_the_download(dataset, tmp_path):
    with pytest.raises(DataError, match=r"cifar10 cannot be read from .*; say dataset.download=true"):
        dataset("cifar10", root=str(tmp_path))
