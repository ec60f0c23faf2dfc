"""CIFAR and STL-10 archives in their real layout, with few images and with checksums of their own."""

import hashlib
import pickle

import numpy as np
import pytest
from torchvision import datasets

from sslrun.config.errors import DataError

PER_BATCH = 20


def photographs(count, *, side, seed):
    """(N, side, side, 3) uint8, no two alike and none its own mirror image or transpose."""
    return np.random.default_rng(seed).integers(0, 256, (count, side, side, 3), np.uint8)


def put(folder, name, content):
    """Write a file; its md5."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
    return hashlib.md5(content).hexdigest()


def rows(images):
    """(N, 3072): all red values of an image row by row, then green, then blue, as the archives hold them."""
    return images.transpose(0, 3, 1, 2).reshape(len(images), -1)


@pytest.fixture
def cifar10(tmp_path, monkeypatch):
    """Five pickled batches and one for testing; `labels`, `label_names`."""
    folder = tmp_path / "cifar-10-batches-py"
    images, labels, sums = [], [], {}
    for number, (name, _) in enumerate(datasets.CIFAR10.train_list + datasets.CIFAR10.test_list):
        images.append(photographs(PER_BATCH, side=32, seed=number))
        labels.append([(i + number) % 10 for i in range(PER_BATCH)])
        batch = {"batch_label": name, "labels": labels[-1], "data": rows(images[-1]), "filenames": ["x.png"]}
        sums[name] = put(folder, name, pickle.dumps(batch))
    meta = {"num_cases_per_batch": PER_BATCH, "label_names": [f"kind{i}" for i in range(10)], "num_vis": 3072}
    checksum = put(folder, "batches.meta", pickle.dumps(meta))
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [[n, sums[n]] for n, _ in datasets.CIFAR10.train_list])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [[n, sums[n]] for n, _ in datasets.CIFAR10.test_list])
    monkeypatch.setattr(datasets.CIFAR10, "meta", datasets.CIFAR10.meta | {"md5": checksum})
    return {
        "train": (np.concatenate(images[:5]), np.concatenate(labels[:5])),
        "test": (images[5], np.array(labels[5])),
    }


@pytest.fixture
def cifar100(tmp_path, monkeypatch):
    """One pickle each; fine and coarse labels."""
    folder = tmp_path / "cifar-100-python"
    truth, sums = {}, {}
    for name, count in (("train", 200), ("test", 100)):
        images, fine = photographs(count, side=32, seed=count), np.arange(count) % 100
        truth[name] = (images, fine)
        content = {"fine_labels": fine.tolist(), "coarse_labels": (fine // 5).tolist(), "data": rows(images)}
        sums[name] = put(folder, name, pickle.dumps(content))
    names = {"fine_label_names": [f"fine{i}" for i in range(100)], "coarse_label_names": [f"c{i}" for i in range(20)]}
    checksum = put(folder, "meta", pickle.dumps(names))
    monkeypatch.setattr(datasets.CIFAR100, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(datasets.CIFAR100, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(datasets.CIFAR100, "meta", datasets.CIFAR100.meta | {"md5": checksum})
    return truth


@pytest.fixture
def stl10(tmp_path, monkeypatch):
    """Raw bytes, column by column, and labels that count from 1."""
    folder = tmp_path / "stl10_binary"
    truth, sums = {}, {}
    for name, count in (("train", 40), ("test", 20), ("unlabeled", 30)):
        images, labels = photographs(count, side=96, seed=count), np.arange(count) % 10
        truth[name] = (images, labels)
        sums[f"{name}_X.bin"] = put(folder, f"{name}_X.bin", images.transpose(0, 3, 2, 1).tobytes())
        if name != "unlabeled":
            sums[f"{name}_y.bin"] = put(folder, f"{name}_y.bin", (labels + 1).astype(np.uint8).tobytes())
    put(folder, "class_names.txt", b"\n".join(b"kind%d" % i for i in range(10)))
    put(folder, "fold_indices.txt", b"0 1 2\n" * 10)
    for name in ("train_list", "test_list"):
        files = getattr(datasets.STL10, name)
        monkeypatch.setattr(datasets.STL10, name, [[file, sums[file]] for file, _ in files])
    return truth


def assert_same(data, split, images, labels):
    """The images of a split, in any order, each with its label; returns their positions among `images`."""
    known = {image.tobytes(): i for i, image in enumerate(images)}
    items = data.evaluation(split)
    positions = [known[items[0, i]["image"].tobytes()] for i in range(len(items))]
    if labels is not None:
        assert data.labels(split).tolist() == labels[positions].tolist()
    return positions


def test_cifar10(dataset, tmp_path, cifar10):
    data = dataset("cifar10", root=str(tmp_path))
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 90, "validation": 10, "test": 20}
    assert data.classes == tuple(f"kind{i}" for i in range(10))
    assert assert_same(data, "test", *cifar10["test"]) == list(range(20))
    seen = [p for split in ("train", "validation") for p in assert_same(data, split, *cifar10["train"])]
    assert sorted(seen) == list(range(100))
    assert np.bincount(data.labels("validation"), minlength=10).tolist() == [1] * 10


def test_cifar100_has_its_fine_labels(dataset, tmp_path, cifar100):
    data = dataset("cifar100", root=str(tmp_path), validation=0.5)
    assert {s: data.size(s) for s in ("train", "validation", "test")} == {"train": 100, "validation": 100, "test": 100}
    assert len(data.classes) == 100 and data.classes[7] == "fine7"
    for split, source in (("train", "train"), ("validation", "train"), ("test", "test")):
        assert_same(data, split, *cifar100[source])


def test_stl10(dataset, tmp_path, stl10):
    data = dataset("stl10", root=str(tmp_path), validation=0.25)
    assert data.classes == tuple(f"kind{i}" for i in range(10))
    assert assert_same(data, "test", *stl10["test"]) == list(range(20))
    seen = [p for split in ("train", "validation") for p in assert_same(data, split, *stl10["train"])]
    assert sorted(seen) == list(range(40))


def test_stl10_unlabelled_images_join_train_which_has_no_labels_then(dataset, tmp_path, stl10):
    data = dataset("stl10", root=str(tmp_path), unlabelled=True)
    images = np.concatenate([stl10["train"][0], stl10["unlabeled"][0]])
    assert data.classes is None and data.labels("train") is None
    seen = [p for split in ("train", "validation") for p in assert_same(data, split, images, None)]
    assert sorted(seen) == list(range(70))


def test_a_damaged_archive_is_refused(dataset, tmp_path, cifar10):
    with (tmp_path / "cifar-10-batches-py" / "data_batch_3").open("ab") as file:
        file.write(b"x")
    with pytest.raises(DataError, match=r"cifar10 cannot be read from .*corrupted.*; say dataset.download=true"):
        dataset("cifar10", root=str(tmp_path))
