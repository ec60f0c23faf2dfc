import io

import cv2
import numpy as np
import pytest
from PIL import Image

from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import ViewsBatch
from sslrun.data.base import check_labelled

RNG = np.random.default_rng(0)


def picture(path, *, mode="RGB", side=20, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "CMYK": 4}[mode]
    values = RNG.integers(0, 256, (side, side, channels), np.uint8)
    Image.fromarray(values.squeeze(), mode=None if mode != "CMYK" else "CMYK").save(path, **options)


def class_folders(root, *, per_class=10, classes=("cat", "dog")):
    for name in classes:
        for i in range(per_class):
            picture(root / name / f"{i}.png")
    return root


def test_class_folders(dataset, tmp_path):
    data = dataset("imagefolder", root=str(class_folders(tmp_path / "d", per_class=50)), image_size=8)
    assert data.classes == ("cat", "dog")
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 72, "validation": 8, "test": 20}
    assert np.bincount(data.labels("test")).tolist() == [10, 10]
    item = data.evaluation("test")[0, 3]
    assert item["image"].shape == (8, 8, 3) and item["label"] == data.labels("test")[3]


def test_nested_class_folders_belong_to_the_first_level(dataset, tmp_path):
    for i in range(10):
        picture(tmp_path / "d" / "cat" / "indoors" / "night" / f"{i}.png")
        picture(tmp_path / "d" / "dog" / f"{i}.png")
    data = dataset("imagefolder", root=str(tmp_path / "d"), image_size=8)
    assert data.classes == ("cat", "dog") and sum(data.size(s) for s in ("train", "validation", "test")) == 20


def test_images_without_classes(dataset, tmp_path):
    for i in range(20):
        picture(tmp_path / "d" / f"{i}.png")
    data = dataset("imagefolder", root=str(tmp_path / "d"), image_size=8)
    assert data.classes is None and data.labels("train") is None
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 18, "validation": 2, "test": 0}
    assert "label" not in data.evaluation("train")[0, 0]


def test_split_folders(dataset, tmp_path):
    for split, count in (("train", 10), ("valid", 3), ("test", 4)):
        class_folders(tmp_path / split, per_class=count)
    data = dataset("imagefolder", root=str(tmp_path), image_size=8)
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 20, "validation": 6, "test": 8}


def test_split_folders_may_be_called_otherwise_and_are_never_classes(dataset, tmp_path):
    for split, count in (("Training", 10), ("Testing", 4)):
        class_folders(tmp_path / "a" / split, per_class=count)
    data = dataset("imagefolder", root=str(tmp_path / "a"), image_size=8)
    assert data.classes == ("cat", "dog") and data.size("test") == 8
    for split in ("val", "test"):
        class_folders(tmp_path / "b" / split, per_class=4)
    with pytest.raises(DataError, match="b has test, val but no train"):
        dataset("imagefolder", root=str(tmp_path / "b"), image_size=8)
    for name in ("valid", "invalid"):
        picture(tmp_path / "c" / name / "0.png")
        picture(tmp_path / "c" / name / "1.png")
    assert dataset("imagefolder", root=str(tmp_path / "c"), image_size=8).classes == ("invalid", "valid")


def test_val_may_be_the_test_split_as_in_imagenet(dataset, tmp_path):
    for split, count in (("train", 50), ("val", 3)):
        class_folders(tmp_path / split, per_class=count)
    data = dataset("imagenet", root=str(tmp_path), image_size=8)
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 99, "validation": 1, "test": 6}
    assert data.encoder_inputs()["mean"] == [0.485, 0.456, 0.406]


def test_links_are_followed_and_hidden_and_other_files_ignored(dataset, tmp_path):
    class_folders(tmp_path / "elsewhere")
    root = tmp_path / "d"
    root.mkdir()
    (root / "cat").symlink_to(tmp_path / "elsewhere" / "cat")
    (root / "dog").symlink_to(tmp_path / "elsewhere" / "dog")
    (root / "again").symlink_to(root)  # a circle
    (root / "notes.txt").write_text("no image")
    picture(root / ".hidden" / "x.png")
    picture(tmp_path / "elsewhere" / "dog" / "._thumb.png")
    data = dataset("imagefolder", root=str(root), image_size=8)
    assert data.classes == ("cat", "dog") and sum(data.size(s) for s in ("train", "validation", "test")) == 20


def test_any_format_side_by_side(dataset, tmp_path):
    root = tmp_path / "d"
    for i in range(3):
        picture(root / f"grey{i}.png", mode="L")
        picture(root / f"alpha{i}.png", mode="RGBA")
        picture(root / f"print{i}.jpg", mode="CMYK")
        picture(root / f"palette{i}.gif")
        picture(root / f"upper{i}.JPEG")
        cv2.imwrite(str(root / f"deep{i}.png"), RNG.integers(0, 65536, (20, 30), np.uint16))
        np.save(root / f"array{i}.npy", RNG.integers(0, 256, (20, 20, 3), np.uint8))
    for channels in (1, 3):
        data = dataset("imagefolder", root=str(root), image_size=8, channels=channels)
        assert data.corrupt == [] and data.size("train") == 19
        assert len(data.encoder_inputs()["mean"]) == channels


def test_arrays_of_five_channels(dataset, policy, tmp_path):
    (tmp_path / "d").mkdir()
    for i in range(20):
        np.save(tmp_path / "d" / f"{i}.npy", RNG.integers(0, 4000, (30, 20, 5), np.uint16))
    data = dataset("imagefolder", root=str(tmp_path / "d"), image_size=8, channels=5, intensity_range=[0, 4000])
    item = data.training(policy("weak"), batch_type=ViewsBatch, seed=0)[0, 0]
    assert item["views"][0].shape == (8, 8, 5)
    item = data.training(policy("simclr"), batch_type=ViewsBatch, seed=0)[0, 0]
    assert [v.shape for v in item["views"]] == [(8, 8, 5), (8, 8, 5)]
    assert "ColorJitter on 5 channel(s)" in data.describe()["left out"]


def test_too_many_unreadable_images_stop_the_run(dataset, tmp_path):
    root = class_folders(tmp_path / "d", per_class=20)
    whole = io.BytesIO()
    Image.fromarray(RNG.integers(0, 256, (40, 40, 3), np.uint8)).save(whole, "JPEG")
    for i in range(3):
        (root / "cat" / f"torn{i}.jpg").write_bytes(whole.getvalue()[:600])
    with pytest.raises(DataError) as error:
        dataset("imagefolder", root=str(root), image_size=8)
    assert str(error.value).startswith("3 of 43 images cannot be read (first: d/cat/torn0.jpg: ")
    assert str(error.value).endswith("; more than dataset.max_corrupt=0.001 of all; mend or remove them, or raise it")
    data = dataset("imagefolder", root=str(root), image_size=8, max_corrupt=0.1)
    assert data.corrupt == [f"d/cat/torn{i}.jpg" for i in range(3)]
    assert sum(data.size(s) for s in ("train", "validation", "test")) == 40
    assert "unreadable" in data.describe()


def test_an_empty_folder_says_what_is_expected(dataset, tmp_path):
    with pytest.raises(DataError, match=r"no images under .*; expected .*/\*.jpg, .*/<class>/\*.jpg or "):
        dataset("imagefolder", root=str(tmp_path))
    with pytest.raises(DataError, match="nowhere: no such folder"):
        dataset("imagefolder", root=str(tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"dataset.root is not set"):
        dataset("imagefolder")


def test_an_image_beside_class_folders_is_named(dataset, tmp_path):
    picture(class_folders(tmp_path / "d") / "stray.png")
    with pytest.raises(DataError, match=r"stray.png lies beside the class folders"):
        dataset("imagefolder", root=str(tmp_path / "d"))


def test_a_class_that_train_lacks_is_named(dataset, tmp_path):
    class_folders(tmp_path / "train")
    class_folders(tmp_path / "test", classes=("cat", "cow"))
    with pytest.raises(DataError, match=r"label 'cow' is not among those of train: cat, dog"):
        dataset("imagefolder", root=str(tmp_path))


def test_the_fingerprint_follows_the_files(dataset, tmp_path):
    root = class_folders(tmp_path / "d")
    first = dataset("imagefolder", root=str(root), image_size=8).fingerprint
    assert dataset("imagefolder", root=str(root), image_size=8).fingerprint == first
    picture(root / "cat" / "0.png", side=24)
    assert dataset("imagefolder", root=str(root), image_size=8).fingerprint != first


def test_images_beside_the_splits_are_told(dataset, tmp_path):
    for split in ("train", "test"):
        class_folders(tmp_path / "d" / split)
    picture(tmp_path / "d" / "bus" / "1.png")
    (tmp_path / "d" / "notes").mkdir()
    data = dataset("imagefolder", root=str(tmp_path / "d"), image_size=8)
    assert data.describe()["not read"] == "bus/: images beside the folders of the splits"


def test_a_split_without_class_folders_is_told_where_labels_are_needed(dataset, tmp_path):
    class_folders(tmp_path / "d" / "train")
    picture(tmp_path / "d" / "test" / "1.png")
    data = dataset("imagefolder", root=str(tmp_path / "d"), image_size=8)
    assert data.classes == ("cat", "dog")
    with pytest.raises(DataError, match="train has labels, the test split has none, or hides them; label it"):
        check_labelled(data)
