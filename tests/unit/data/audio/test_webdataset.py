"""Recordings out of tar files give what the same files in a folder give."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shards import write_shard, write_shards
from small import write_recordings
from sslrun.config.dataset.audio import AudioConfig
from sslrun.config.dataset.webdataset import AudioWebDatasetConfig
from sslrun.config.errors import DataError
from sslrun.core.batch import SeriesBatch, ViewsBatch, WaveBatch
from sslrun.data.build import build_data
from sslrun.data.loader import ItemLoader, RunSampler, evaluation_loader

OPTIONS: dict[str, Any] = {"name": "made", "sample_rate": 8000, "seconds": 0.5, "mels": 16}


def samples(folder: Path) -> list[dict[str, bytes]]:
    """The recordings of a folder in their order, with what their names tell."""
    found = sorted(write_recordings(folder, count=40).glob("*.wav"))
    told = [dict(zip(("label", "group"), f.stem.split("_"), strict=False)) for f in found]
    return [{"wav": f.read_bytes(), "json": json.dumps(t).encode()} for f, t in zip(found, told, strict=True)]


@pytest.fixture
def both(tmp_path: Path) -> tuple[Any, Any]:
    """The same recordings out of shards and out of a folder."""
    pattern = write_shards(tmp_path / "shards", samples(tmp_path / "wav"), per_shard=9)
    streamed = AudioWebDatasetConfig(train=pattern, label="json:label", group="json:group", shard_window=2, **OPTIONS)
    pattern = "(?P<label>[0-9])_(?P<group>[a-z])"
    return build_data(streamed), build_data(AudioConfig(path=str(tmp_path / "wav"), pattern=pattern, **OPTIONS))


@pytest.mark.parametrize("kind", [ViewsBatch, SeriesBatch, WaveBatch])
def test_items_labels_and_groups(both: tuple[Any, Any], policy: Any, kind: type) -> None:
    streamed, held = both
    assert streamed.classes == held.classes == ("0", "1", "2", "3")
    assert streamed.groups("train").tolist() == held.groups("train").tolist()
    views = policy("audio_crop" if kind is WaveBatch else "audio_views")
    for items, expected in (
        [data.training(views, batch_type=kind, seed=2) for data in both],
        [data.evaluation("test") for data in both],
    ):
        for i in (0, 3, len(expected) - 1):
            found, wanted = items[1, i], expected[1, i]
            assert found.keys() == wanted.keys()
            for key in found:
                assert all(
                    np.array_equal(a, b)
                    for a, b in zip(np.atleast_1d(found[key]), np.atleast_1d(wanted[key]), strict=True)
                )


def test_batches_are_the_same_whatever_the_workers(both: tuple[Any, Any], policy: Any) -> None:
    data = both[0]
    items = data.training(policy("audio_crop"), batch_type=WaveBatch, seed=3)

    def batches(workers: int, start: int) -> list[Any]:
        sampler = RunSampler(
            len(items), batch_size=8, total_steps=5, start=lambda: start, seed=3, disk_groups=items.disk_groups
        )
        return [batch["wave"].tolist() for batch in ItemLoader(data, items, sampler, workers=workers)]

    assert batches(2, 2) == batches(0, 0)[2:]


def test_a_broken_recording_is_named_and_left_out(tmp_path: Path, policy: Any) -> None:
    made = {f"{i:02d}": sample for i, sample in enumerate(samples(tmp_path / "wav"))}
    made["07"] = {"wav": b"RIFF and no more"}
    path = str(write_shard(tmp_path / "a.tar", made))
    data = build_data(
        AudioWebDatasetConfig(train=path, label=None, form="wave", mean=[0.0], std=[0.1], max_corrupt=0.1, **OPTIONS)
    )
    sizes = [data.size(split) for split in ("train", "validation")]
    found = [
        len(b["index"])
        for s in ("train", "validation")
        for b in evaluation_loader(data, data.evaluation(s), batch_size=99, workers=0)
    ]
    assert sum(found) == sum(sizes) - 1
    assert len(data.corrupt) == 1 and data.corrupt[0].startswith("a.tar:07.wav: cannot be read")
    strict = build_data(AudioWebDatasetConfig(train=path, label=None, form="wave", mean=[0.0], std=[0.1], **OPTIONS))
    with pytest.raises(DataError, match=r"1 of 40 samples cannot be read \(first: a.tar:07.wav: cannot be read"):
        for split in ("train", "validation"):
            list(evaluation_loader(strict, strict.evaluation(split), batch_size=99, workers=0))
