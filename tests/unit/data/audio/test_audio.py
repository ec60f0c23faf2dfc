"""Sound from files to batches: reading, labels, log-mel, forms, what is kept and what is drawn."""

import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.dataset.audio import TonesConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import ImageBatch, SeriesBatch, ViewsBatch, WaveBatch
from sslrun.data.audio.audio import AudioData
from sslrun.data.audio.logmel import LogMel
from sslrun.data.audio.read import read_wave
from sslrun.data.build import build_data

RATE = 8000
FORMS = {ImageBatch: "image", SeriesBatch: "series", WaveBatch: "wave"}


def sine(hertz: float, seconds: float, rate: int = RATE) -> np.ndarray:
    return 0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)


def write(path: Path, wave: np.ndarray, rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, wave, rate)


def config(*overrides: str) -> PretrainConfig:
    composed = compose("pretrain", ["method=simclr", *overrides])
    assert isinstance(composed, PretrainConfig)
    return composed


def built(*overrides: str) -> AudioData:
    data = build_data(config(*overrides).dataset)
    assert isinstance(data, AudioData)
    return data


def of_folder(folder: Path, *overrides: str) -> AudioData:
    return built("dataset=audio", f"dataset.path={folder}", f"dataset.sample_rate={RATE}", *overrides)


@pytest.fixture
def spoken(tmp_path: Path) -> Path:
    """Named <digit>_<speaker>_<take>.wav."""
    for i in range(24):
        write(tmp_path / f"{i % 2}_{'ab'[i // 2 % 2]}_{i // 4}.wav", sine(300 + 200 * (i % 2), 0.3 + 0.01 * i))
    return tmp_path


def test_a_file_is_read_at_the_rate_asked_for_with_its_channels_averaged(tmp_path: Path) -> None:
    left, right = sine(440, 0.5, 16000), np.zeros(8000)
    write(tmp_path / "stereo.flac", np.stack([left, right], axis=1), 16000)
    wave = read_wave(tmp_path / "stereo.flac", sample_rate=RATE)
    assert wave.dtype == np.int16 and len(wave) == 4000
    inside = slice(200, -200)  # the filter has no neighbours at the ends
    assert np.abs(wave / 32767 - sine(440, 0.5) / 2)[inside].max() < 2e-3


@pytest.mark.parametrize("broken", [b"", b"RIFF no sound at all"])
def test_an_unreadable_file_is_left_out_and_told(spoken: Path, broken: bytes) -> None:
    (spoken / "9_c_9.wav").write_bytes(broken)
    with pytest.raises(DataError, match=r"1 of 25 recordings cannot be read .*9_c_9.wav.*dataset.max_corrupt=0.01"):
        of_folder(spoken)
    data = of_folder(spoken, "dataset.max_corrupt=0.1")
    assert data.corrupt == [f"{spoken.name}/9_c_9.wav"]
    assert data.size("train") + data.size("validation") == 24


def test_labels_and_groups_out_of_file_names_and_the_official_split(spoken: Path) -> None:
    data = of_folder(
        spoken, r"dataset.pattern='(?P<label>\d)_(?P<group>\w)_(?P<take>\d+)'", r"dataset.test_pattern='_[01]\.wav$'"
    )
    assert data.classes == ("0", "1") and data.size("test") == 8
    labels, groups = data.labels("test"), data.groups("test")
    assert labels is not None and groups is not None
    assert sorted(zip(labels.tolist(), groups.tolist(), strict=True)) == [
        (label, group) for label in (0, 1) for group in "ab" for _ in range(2)
    ]


def test_labels_by_folder_and_by_table(tmp_path: Path) -> None:
    for i in range(12):
        write(tmp_path / "folders" / ("dog", "cat")[i % 2] / f"{i}.wav", sine(300, 0.2))
        write(tmp_path / "flat" / f"{i}.wav", sine(300 + i, 0.2))
    rows = "".join(f"{i}.wav,{('x', 'y')[i % 2]},{i % 3}\n" for i in range(12))
    (tmp_path / "flat" / "labels.csv").write_text("file,label,group\n" + rows)
    assert of_folder(tmp_path / "folders").classes == ("cat", "dog")
    data = of_folder(tmp_path / "flat", "dataset.table=labels.csv")
    groups = data.groups("train")
    assert data.classes == ("x", "y") and groups is not None and set(groups) == {"0", "1", "2"}
    assert of_folder(tmp_path / "flat").classes is None


def test_a_file_without_label_or_group_is_named_by_its_row(tmp_path: Path) -> None:
    for split, i in (("train", 0), ("train", 1), ("train", 2), ("test", 3)):
        write(tmp_path / split / f"{i}.wav", sine(300, 0.2))
    table = tmp_path / "labels.csv"
    named = [f"dataset.{s}={tmp_path}/{s}" for s in ("train", "test")]
    table.write_text("file,label\n" + "".join(f"{i}.wav,{label}\n" for i, label in enumerate(("1", "", "2", "1"))))
    with pytest.raises(DataError, match=r"^dataset.label=label: row 1 of labels.csv has no label; fill it in, or"):
        built("dataset=audio", *named, f"dataset.sample_rate={RATE}", f"dataset.table={table}")
    table.write_text(
        "file,label,group\n" + "".join(f"{i}.wav,{i % 2},{who}\n" for i, who in enumerate(("a", "b", "", "a")))
    )
    with pytest.raises(
        DataError, match=r"^dataset.group=group: row 2 of labels.csv has no group; .*dataset.group=null"
    ):
        built("dataset=audio", *named, f"dataset.sample_rate={RATE}", f"dataset.table={table}")
    with pytest.raises(DataError, match=r"^dataset.group=voice: .*labels.csv has no such column; it has file, label"):
        built("dataset=audio", *named, f"dataset.table={table}", "dataset.group=voice")
    table.write_text("file,label\n" + "".join(f"{i}.wav,{label}\n" for i, label in enumerate(("1", "", "2", "1"))))
    (tmp_path / "train" / "1.wav").unlink()  # a row of no file that is read
    assert built("dataset=audio", *named, f"dataset.sample_rate={RATE}", f"dataset.table={table}").classes == ("1", "2")


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.pattern=x"], "dataset.pattern=x: has no group named label; write (?P<label>…), or"),
        (["dataset.pattern='(?P<label>z)'"], "does not match 0_a_0.wav"),
        (["dataset.pattern='('"], "dataset.pattern is not a regular expression"),
        (["dataset.test_pattern=none"], "dataset.test_pattern=none: matches none of 24 files"),
        (["dataset.table=labels.csv"], "labels.csv: cannot be read"),
        (["dataset.path=/nowhere"], "dataset.path=/nowhere: no such folder"),
        (
            ["dataset.path=null", "dataset.train={0}", "dataset.val=/nowhere"],
            "dataset.val=/nowhere: no such folder",
        ),
        (["dataset.form=waves"], "dataset.form=waves: no such choice; did you mean 'wave'?"),
    ],
)
def test_errors_name_key_and_remedy(spoken: Path, overrides: list[str], message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        of_folder(spoken, *(override.format(spoken) for override in overrides))
    assert message in str(error.value)


def test_log_mel_of_a_tone_is_highest_in_its_band() -> None:
    logmel = LogMel(TonesConfig(name="tones", sample_rate=RATE, mels=40))(
        np.round(sine(1000, 0.5) * 32767).astype(np.int16)
    )  # (frames, mels)
    assert logmel.shape == (51, 40)
    mel = [2595 * math.log10(1 + hertz / 700) for hertz in (60, 1000, 4000)]
    band = (mel[1] - mel[0]) / (mel[2] - mel[0]) * 41 - 1  # centres lie at 1 to 40 of 41 equal steps
    assert abs(logmel[25].argmax() - band) < 1
    # by Parseval the bins of positive frequency hold N A^2 / 4 = 256 / 16 together, most of it in this band
    assert math.log(16 / 4) < logmel[25].max() < math.log(16)


def test_silence_is_the_floor() -> None:
    logmel = LogMel(TonesConfig(name="tones", sample_rate=RATE))(np.zeros(4000, np.int16))
    assert np.allclose(logmel, math.log(1e-6))


@pytest.mark.parametrize("batch_type", FORMS)
def test_the_form_follows_the_method(batch_type: type) -> None:
    data, policy = built("dataset=tones", "dataset.items=60"), config("augmentation=none").augmentation
    items = data.training(policy, batch_type=batch_type, seed=0)
    key = FORMS[batch_type]
    batch = data.prepare()(data.collate([items[0, i] for i in range(4)]))
    assert data.single is batch_type and data.encoder_inputs()["reads"] == key and key in batch
    if key == "image":
        assert batch["image"].shape == (4, 1, 40, 48)
    if key == "wave":
        assert batch["wave"].shape == (4, int(batch["lengths"].max()))
        first = int(batch["lengths"][0])
        assert batch["wave"][0, :first].std() > 0.1 and (batch["wave"][0, first:] == 0).all()
    if key == "series":
        assert batch["series"].isnan().any() and not batch["series"][:, 0].isnan().any()


def test_normalised_values_have_mean_0_and_std_1() -> None:
    data = built("dataset=tones", "dataset.items=120", "dataset.seconds=0.24", "dataset.form=frames")
    items = data.evaluation("train")
    values = np.concatenate([items[0, i]["series"].ravel() for i in range(len(items))])  # type: ignore[arg-type]
    assert abs(values.mean()) < 1e-3 and abs(values.std() - 1) < 1e-3


def test_views_are_a_function_of_seed_epoch_position_and_view() -> None:
    policy = config("augmentation=audio_views").augmentation

    def view(seed: int, epoch: int, index: int, view: int) -> np.ndarray:
        data = built("dataset=tones", "dataset.items=60")
        item: dict[str, Any] = data.training(policy, batch_type=ViewsBatch, seed=seed)[epoch, index]
        array: np.ndarray = item["views"][view]
        return array

    first = view(0, 0, 0, 0)
    assert first.shape == (1, 40, 48) and np.array_equal(first, view(0, 0, 0, 0))
    others = [view(1, 0, 0, 0), view(0, 1, 0, 0), view(0, 0, 1, 0), view(0, 0, 0, 1)]
    assert not any(np.array_equal(first, other) for other in others)


def test_waves_are_cropped_made_louder_and_noisy() -> None:
    data = built("dataset=tones", "dataset.items=60", "dataset.seconds=0.2", "dataset.form=wave")
    items = data.training(config("augmentation=audio_wave").augmentation, batch_type=WaveBatch, seed=0)
    plain, first, second = data.evaluation("train")[0, 3]["wave"], items[0, 3]["wave"], items[1, 3]["wave"]
    assert len(plain) == len(first) == len(second) == 1600 and first.dtype == np.float32
    assert not np.array_equal(first, second) and np.array_equal(first, items[0, 3]["wave"])
    assert (first == 0).sum() > 5  # masked in time


def test_items_go_to_workers_of_any_kind() -> None:
    policy = config("augmentation=audio_views").augmentation
    items = built("dataset=tones", "dataset.items=60").training(policy, batch_type=ViewsBatch, seed=0)
    same = pickle.loads(pickle.dumps(items))
    assert np.array_equal(items[1, 2]["views"][1], same[1, 2]["views"][1])


def test_what_was_read_once_is_kept(spoken: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = of_folder(spoken)
    frames = [clip for _, clip in fresh.readable("train")]
    monkeypatch.setattr("sslrun.data.audio.files.read_wave", lambda *a, **k: pytest.fail("read again"))
    monkeypatch.setattr("sslrun.data.audio.logmel.LogMel.__call__", lambda *a: pytest.fail("made again"))
    again = of_folder(spoken)
    assert again.fingerprint == fresh.fingerprint
    assert all(np.array_equal(a, b) for a, (_, b) in zip(frames, again.readable("train"), strict=True))
    assert isinstance(again.logmel("train").flat, np.memmap)


def test_a_changed_file_is_read_again(spoken: Path) -> None:
    first = of_folder(spoken)
    write(spoken / "0_a_0.wav", sine(900, 0.7))
    second = of_folder(spoken)
    assert first.fingerprint != second.fingerprint
    assert torch.tensor(second.logmel("train").lengths).sum() > torch.tensor(first.logmel("train").lengths).sum()
