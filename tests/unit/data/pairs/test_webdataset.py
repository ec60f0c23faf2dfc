"""Images with captions out of tar files."""

import json
from pathlib import Path
from typing import Any

import pytest

from shards import picture, write_shard, write_shards
from sslrun.config.errors import DataError
from sslrun.core.batch import PairBatch, ViewsBatch
from sslrun.data.loader import ItemLoader, RunSampler, evaluation_loader

NAMES = ("ash", "birch", "cedar", "date", "elm")


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    """Forty pictures of five kinds in shards of seven, each with its kind's name as caption."""
    samples = [
        {"png": picture(i), "json": b'{"said": "a %s tree"}' % NAMES[i % 5].encode(), "cls": str(i % 5).encode()}
        for i in range(40)
    ]
    return write_shards(tmp_path / "shards", samples, per_shard=7)


def test_each_image_comes_with_its_caption_from_any_step_on(dataset: Any, policy: Any, pattern: str) -> None:
    data = dataset(
        "webdataset_pairs", train=pattern, caption=["json:said"], label="cls", image_size=16, shard_window=2,
        tokenizer="char",
    )  # fmt: skip
    assert [data.size(s) for s in ("train", "validation", "test")] == [29, 3, 8]
    assert "read in place, 2 mixed" in data.describe()["shards"] and "1 an image" in data.describe()["captions"]
    items = data.training(policy("clip"), batch_type=PairBatch, seed=3)
    assert items.disk_groups.window == 2 and items.disk_groups.ends[-1] == 29

    def batches(start: int) -> list[dict[str, Any]]:
        sampler = RunSampler(
            29, batch_size=8, total_steps=6, start=lambda: start, seed=3, disk_groups=items.disk_groups
        )
        return list(ItemLoader(data, items, sampler, workers=0))

    whole, late = batches(0), batches(4)
    assert [b["index"].tolist() for b in whole[4:]] == [b["index"].tolist() for b in late]
    labels = data.labels("train")
    for batch in whole:
        said = [data.tokenizer.decode(ids[ids != data.tokenizer.pad].tolist()) for ids in batch["input_ids"]]
        for index, text in zip(batch["index"].tolist(), said, strict=True):
            assert NAMES[labels[index]] in text


def test_without_captions_it_is_a_dataset_of_images(dataset: Any, policy: Any, pattern: str) -> None:
    data = dataset("webdataset_pairs", train=pattern, caption=["json:said"], image_size=16)
    assert "views" in data.collate([data.training(policy("simclr_cifar"), batch_type=ViewsBatch, seed=0)[0, 1]])


def test_a_list_is_several_captions_and_an_image_without_one_is_left_out(dataset: Any, tmp_path: Path) -> None:
    samples = {
        f"{i:03d}": {"png": picture(i), "json": json.dumps({"said": ["a", f"b{i}"]}).encode()} for i in range(24)
    }
    samples["005"]["json"] = b'{"said": null}'
    samples["011"]["json"] = b'{"title": "a tree"}'
    del samples["017"]["json"]
    bare = ["one.tar:005.png", "one.tar:011.png", "one.tar:017.png"]
    options = {"train": str(write_shard(tmp_path / "one.tar", samples)), "caption": ["json:said"], "image_size": 16}
    data = dataset("webdataset_pairs", cache="always", max_corrupt=0.2, **options)
    captions = [own for split in ("train", "validation", "test") for own in data.captions(split)]
    assert sorted(data.corrupt) == bare
    assert sorted(captions) == sorted(("a", f"b{i}") for i in range(24) if i not in (5, 11, 17))
    with pytest.raises(DataError, match=r"3 of 24 images cannot be read \(first: one.tar:005.png: no caption\)"):
        dataset("webdataset_pairs", cache="always", max_corrupt=0.1, **options)
    met = dataset("webdataset_pairs", max_corrupt=0.2, **options)
    for split in ("train", "validation", "test"):
        list(evaluation_loader(met, met.evaluation(split), batch_size=99, workers=0))
    assert sorted(met.corrupt) == bare


def test_captions_that_are_not_there_are_told(dataset: Any, tmp_path: Path) -> None:
    samples = {f"{i:03d}": {"png": picture(i), "txt": b"a tree"} for i in range(12)}
    tar = str(write_shard(tmp_path / "one.tar", samples))
    with pytest.raises(DataError, match=r"dataset\.caption=capt: no sample of .* there are png, txt"):
        dataset("webdataset_pairs", train=tar, caption=["capt"], image_size=16)
