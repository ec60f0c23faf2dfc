"""Clips put behind each other: whose, in which order, with which transcript."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import soundfile

from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.batch import SeriesBatch, WaveBatch
from sslrun.data.audio.audio import AudioData
from sslrun.data.build import build_data

RATE = 8000
PATTERN = r"dataset.pattern='(?P<label>\d)_(?P<group>\w)_(?P<take>\d+)'"
WORDS = "dataset.words=[nope,yes]"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """<digit>_<speaker>_<take>.wav of 60 to 83 ms; each holds one value that tells its digit, speaker and take."""
    folder = tmp_path_factory.mktemp("digits")
    for i in range(48):
        digit, speaker, take = i % 2, i // 2 % 2, i // 4
        value = 0.1 + 0.4 * digit + 0.2 * speaker + 0.01 * take
        soundfile.write(folder / f"{digit}_{'ab'[speaker]}_{take}.wav", np.full(480 + 4 * i, value), RATE, "PCM_16")
    return folder


def config(folder: Path, *overrides: str) -> PretrainConfig:
    common = [
        "method=cpc", "dataset=audio", f"dataset.path={folder}", f"dataset.sample_rate={RATE}", "dataset.form=wave",
        "backbone=cpc_wave", "dataset.seconds=0.1", "dataset.join=[2,4]", PATTERN, WORDS,
    ]  # fmt: skip
    composed = compose("pretrain", [*common, *overrides])
    assert isinstance(composed, PretrainConfig)
    return composed


def built(folder: Path, *overrides: str) -> AudioData:
    data = build_data(config(folder, *overrides).dataset)
    assert isinstance(data, AudioData)
    return data


def heard(wave: np.ndarray, data: AudioData) -> list[float]:
    """Values of the clips that a recording is made of."""
    mean, std = data.mean_std
    values = np.round(wave * std + mean, 3)
    return [float(values[0]), *(float(b) for a, b in itertools.pairwise(values) if abs(a - b) > 0.005)]


def test_a_recording_is_of_one_voice_and_its_transcript_is_what_it_holds(folder: Path) -> None:
    data = built(folder)
    for split in ("train", "validation", "test"):
        said, groups, items = data.transcripts(split), data.groups(split), data.evaluation(split)
        assert said is not None and groups is not None and len(said) == len(items) == data.size(split) > 0
        for i, text in enumerate(said):
            values = heard(items[0, i]["wave"], data)
            digits = ["yes" if value >= 0.5 else "nope" for value in values]
            voices = {"ab"[int((value - 0.1) % 0.4 >= 0.199)] for value in values}
            assert text.split() == digits or len(values) < len(text.split())  # a clip twice in a row has no edge
            assert voices == {str(groups[i])} and 2 <= len(text.split()) <= 4


def test_splits_share_no_clip_and_each_clip_is_heard(folder: Path) -> None:
    data, single = built(folder), built(folder, "dataset.join=null", "dataset.words=null")
    of_split = {}
    for split in ("train", "validation", "test"):
        items = data.evaluation(split)
        of_split[split] = {round(v, 2) for i in range(len(items)) for v in heard(items[0, i]["wave"], data)}
        assert len(of_split[split]) == single.size(split)
    assert sum(map(len, of_split.values())) == len(set.union(*of_split.values())) == 48


def test_strings_are_the_same_whenever_they_are_made_and_others_of_another_seed(folder: Path) -> None:
    first, again, other = built(folder), built(folder), built(folder, "dataset.split_seed=1")
    assert first.transcripts("train") == again.transcripts("train") != other.transcripts("train")
    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_items_carry_their_characters(folder: Path) -> None:
    data = built(folder, "dataset.form=frames", "backbone=cpc")
    assert data.alphabet == (" ", "e", "n", "o", "p", "s", "y") and data.classes is None
    items = data.training(config(folder).augmentation, batch_type=SeriesBatch, seed=0)
    batch = data.collate([items[0, i] for i in range(4)])
    said = data.transcripts("train")
    assert said is not None
    for row, text in zip(batch["transcript"].tolist(), said, strict=False):
        assert "".join(data.alphabet[c] for c in row if c >= 0) == text
    assert batch["series"].shape[1] <= data.config.frames == 40 and "label" not in batch


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["dataset.join=[3]"], "dataset.join must be [minimum, maximum] clips, e.g. [2, 5], got [3]"),
        (["dataset.join=null"], "dataset.words spells transcripts, which need dataset.join=[minimum,maximum]"),
        (["dataset.pattern=null"], "has no labels to make transcripts of"),
        (["dataset.words=[yes]"], "dataset.words has 1 words; there are 2 labels: 0, 1"),
    ],
)
def test_errors_name_key_and_remedy(folder: Path, overrides: list[str], message: str) -> None:
    with pytest.raises((ConfigError, DataError)) as error:
        built(folder, *overrides)
    assert message in str(error.value)


def test_policies_that_cut_are_refused(folder: Path) -> None:
    data = built(folder, "dataset.form=frames", "backbone=cpc")
    policy = config(folder, "augmentation=audio_views").augmentation
    with pytest.raises(ConfigError, match=r"augmentation=audio_views cuts or mixes .* augmentation=audio_weak"):
        data.training(policy, batch_type=SeriesBatch, seed=0)
    waves = built(folder)
    assert len(waves.training(config(folder, "augmentation=audio_wave").augmentation, batch_type=WaveBatch, seed=0))


def test_spoken_digits_spell_every_digit() -> None:
    composed = compose("finetune", ["encoder=random", "dataset=spoken_digits", "dataset.path=/nowhere"])
    dataset = composed.dataset  # type: ignore[attr-defined]
    assert dataset.join == [2, 6] and dataset.words[7] == "seven" and len(dataset.words) == 10
    assert dataset.frames == 6 * 64 and dataset.test_pattern == r"_[0-4]\.wav$"
