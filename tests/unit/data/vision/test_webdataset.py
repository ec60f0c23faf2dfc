"""Images out of tar files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards import picture, write_shard, write_shards
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import ViewsBatch
from sslrun.data.loader import ItemLoader, RunSampler, evaluation_loader


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    """Sixty pictures of five classes in shards of seven."""
    samples = [{"png": picture(i), "cls": str(i % 5).encode()} for i in range(60)]
    return write_shards(tmp_path / "shards", samples, per_shard=7)


def test_images_labels_and_splits(dataset: Any, pattern: str, cache_folder: Path) -> None:
    data = dataset("webdataset", train=pattern, image_size=16)
    assert data.classes == ("0", "1", "2", "3", "4")
    assert [data.size(s) for s in ("train", "validation", "test")] == [43, 5, 12]
    found = next(iter(evaluation_loader(data, data.evaluation("test"), batch_size=12, workers=0)))
    assert found["label"].tolist() == data.labels("test").tolist()
    for image, position in zip(found["image"], data._parts["test"].positions, strict=True):
        top = int(np.asarray(image)[:, 0, 0].max())
        assert top == 40 * (position % 5)
    assert "9 of " in data.describe()["shards"] and "read in place, 9 mixed" in data.describe()["shards"]
    assert {p.suffix for p in cache_folder.rglob("*") if p.is_file()} <= {".npz", ".json", ".lock"}  # no image is kept


def test_batches_are_the_same_whatever_the_workers(dataset: Any, policy: Any, pattern: str) -> None:
    data = dataset("webdataset", train=pattern, image_size=16, shard_window=2)
    items = data.training(policy("simclr_cifar"), batch_type=ViewsBatch, seed=3)
    assert items.disk_groups.window == 2 and items.disk_groups.ends[-1] == 43

    def batches(workers: int, start: int) -> list[dict[str, Any]]:
        sampler = RunSampler(
            len(items), batch_size=8, total_steps=8, start=lambda: start, seed=3, disk_groups=items.disk_groups
        )
        return list(ItemLoader(data, items, sampler, workers=workers))

    alone = batches(0, 0)
    for found, start in ((batches(2, 0), 0), (batches(1, 5), 5)):
        assert len(found) == 8 - start
        for a, b in zip(alone[start:], found, strict=True):
            assert a["index"].tolist() == b["index"].tolist()
            assert all(bool((x == y).all()) for x, y in zip(a["views"], b["views"], strict=True))


def test_a_broken_image_is_named_by_shard_and_member(dataset: Any, policy: Any, tmp_path: Path) -> None:
    samples = {f"{i:03d}": {"png": picture(i)} for i in range(20)}
    samples["007"] = {"png": picture(7)[:60]}
    samples["011"] = {"txt": b"no image"}
    pattern = str(write_shard(tmp_path / "one.tar", samples))
    data = dataset(
        "webdataset", train=pattern, label=None, image_size=16, max_corrupt=0.2, mean=[0.5] * 3, std=[0.2] * 3
    )
    items = data.training(policy("simclr_cifar"), batch_type=ViewsBatch, seed=0)
    sampler = RunSampler(
        len(items), batch_size=6, total_steps=6, start=lambda: 0, seed=0, disk_groups=items.disk_groups
    )
    assert len(list(ItemLoader(data, items, sampler, workers=0))) == 6
    assert set(data.corrupt) == {"one.tar:007.png", "one.tar:011"}
    strict = dataset("webdataset", train=pattern, label=None, image_size=16, mean=[0.5] * 3, std=[0.2] * 3)
    items = strict.training(policy("simclr_cifar"), batch_type=ViewsBatch, seed=0)
    with pytest.raises(
        DataError, match=r"of 20 images cannot be read \(first: one.tar:0(07.png: |11 has no .jpg or .jpeg)"
    ):
        list(ItemLoader(strict, items, sampler, workers=0))


def test_a_sample_without_label_is_named(dataset: Any, tmp_path: Path) -> None:
    samples = {"a": {"png": picture(0), "cls": b"0"}, "b": {"png": picture(1)}}
    with pytest.raises(DataError, match=r"one.tar:b has no .cls"):
        dataset("webdataset", train=str(write_shard(tmp_path / "one.tar", samples)))


def test_the_command_line_takes_braces(pattern: str) -> None:
    config = compose("pretrain", ["method=simclr", "dataset=webdataset", f'dataset.train="{pattern}"'])
    assert config.dataset.train == pattern  # type: ignore[attr-defined]
    with pytest.raises(ConfigError, match=r"dataset.train is not set; name the shards"):
        compose("pretrain", ["method=simclr", "dataset=webdataset"])
