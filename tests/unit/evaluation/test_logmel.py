"""The raw baseline of sound."""

from pathlib import Path

from shards import write_shard
from small import write_recordings
from sslrun.config.dataset.splits import SPLITS
from sslrun.config.dataset.webdataset import AudioWebDatasetConfig
from sslrun.core.rows import RowKey
from sslrun.data.audio.audio import AudioData
from sslrun.data.build import build_data
from sslrun.evaluation.groups import group_rows
from sslrun.evaluation.raw.logmel import LogMelStatistics


def test_a_recording_that_cannot_be_read_is_left_out_and_counted(tmp_path: Path) -> None:
    samples = {}
    for i, file in enumerate(sorted(write_recordings(tmp_path / "wav", count=80).glob("*.wav"))):
        label, group, _ = file.stem.split("_")
        content = b"RIFF and no more" if i % 4 == 1 else file.read_bytes()
        samples[f"{i:02d}"] = {"wav": content, "cls": label.encode(), "who": group.encode()}
    data = build_data(
        AudioWebDatasetConfig(
            name="made", train=str(write_shard(tmp_path / "a.tar", samples)), cache_dir=str(tmp_path / "cache"),
            group="who", sample_rate=8000, seconds=0.5, mels=16, max_corrupt=0.5,
        )
    )  # fmt: skip
    assert isinstance(data, AudioData)
    found = {split: LogMelStatistics().features(data, split) for split in SPLITS}
    assert len(data.corrupt) == 20 and data.corrupt[0].startswith("a.tar:")
    for split in SPLITS:  # the items that an encoder is measured on
        items, labels = data.evaluation(split), data.labels(split)
        read = [i for i in range(len(items)) if "image" in items[0, i]]
        assert found[split].index.tolist() == read and len(read) < len(items)
        assert labels is not None and found[split].labels is not None
        assert found[split].labels.tolist() == labels[read].tolist()
    mean, *_ = group_rows(found, data, key=RowKey(encoder="logmel", dataset=data.name, seed=0))
    assert mean.n == 60 and mean.value == 1.0  # classes differ in pitch: labels and groups are those of their clips
