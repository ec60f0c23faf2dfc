"""Sound from pretraining to probing and fine-tuning."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from safetensors import safe_open

from small import write_recordings
from sslrun.commands import finetune, pretrain, probe
from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError

pytestmark = pytest.mark.xdist_group("audio")  # one worker, which trains what they share once

PATTERN = r"dataset.pattern='(?P<label>\d)_(?P<group>\w)_(?P<take>\d+)'"


def run(command: Any, *overrides: str) -> None:
    command.run(compose(command.__name__.rsplit(".", 1)[-1], [*overrides, "loader.workers=0"]))


def rows(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((path / "results.json").read_text())["rows"]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of byol on spectrograms, and of cpc on frames and on samples."""
    folder = tmp_path_factory.mktemp("audio")
    data = [f"dataset.path={write_recordings(folder / 'recordings')}", "dataset.sample_rate=8000", PATTERN]
    data += ["dataset=audio", "dataset.seconds=0.4", "dataset.mels=24", "trainer.precision=fp32", "trainer.steps=4"]
    data += ["loader.batch_size=16", "monitor.every_epochs=0"]
    small = ["backbone.width=16", "method.steps=3"]
    byol = ["method=byol", "augmentation=byol_a", "backbone=small_cnn", "backbone.width=8"]
    run(pretrain, *data, *byol, f"run.dir={folder}/byol")
    run(pretrain, *data, *small, "method=cpc", "backbone.hidden=24", f"run.dir={folder}/cpc")
    wave = ["method=cpc", "backbone=cpc_wave", "backbone.hidden=24", "dataset.form=wave"]
    run(pretrain, *data, *small, *wave, f"run.dir={folder}/wave")
    return folder


@pytest.mark.parametrize(
    ("name", "reads"), [("byol", "image"), ("cpc", "series"), pytest.param("wave", "wave", marks=pytest.mark.draws)]
)
def test_probe_reads_what_the_encoder_reads_and_leaves_speakers_out(folder: Path, name: str, reads: str) -> None:
    described = json.loads((folder / name / "encoder" / "config.json").read_text())
    assert described["reads"] == reads
    run(probe, f"encoder={folder}/{name}", f"run.dir={folder}/{name}-probe", "labels=[2]", "draws=2")
    left_out = [r for r in rows(folder / f"{name}-probe") if r["evaluation"] == "leave_one_group_out"]
    encoders = dict.fromkeys(r["encoder"] for r in left_out)
    assert len(encoders) == 3 and {"random", "logmel"} < encoders.keys()
    for encoder in encoders:
        of_it = {r["condition"]: r for r in left_out if r["encoder"] == encoder}
        assert list(of_it) == ["", "group=a", "group=b"]
        mean = (of_it["group=a"]["value"] + of_it["group=b"]["value"]) / 2
        assert of_it[""]["value"] == pytest.approx(mean) and of_it[""]["n"] == 80
    assert next(r for r in left_out if r["encoder"] == "logmel")["value"] == 1.0  # the digits differ in pitch
    drawn = (folder / f"{name}-probe" / "report.html").read_text()
    assert "log-mel statistics" in drawn or name != "wave"


@pytest.mark.parametrize("name", ["byol", "cpc", "wave"])
def test_fine_tuning(folder: Path, name: str) -> None:
    steps = 120 if name == "wave" else 60
    options = ["labels=5", f"min_steps={steps}", "trainer.epochs=1", "optimizer.lr=0.003", "trainer.precision=fp32"]
    run(finetune, f"encoder={folder}/{name}", f"run.dir={folder}/{name}-tuned", *options)
    found = {r["metric"]: r["value"] for r in rows(folder / f"{name}-tuned")}
    assert found["top1"] > 0.5 and {"macro_f1", "auroc"} < found.keys()


@pytest.mark.draws
def test_fine_tuning_to_transcripts(folder: Path) -> None:
    """Strings of recordings; by the same command from scratch."""
    data = [f"dataset.path={folder / 'recordings'}", "dataset.sample_rate=8000", PATTERN, "dataset=audio"]
    data += ["dataset.seconds=0.12", "dataset.mels=24", "dataset.join=[2,3]", "dataset.words=[a,b,c,d]", "labels=40"]
    options = ["trainer.epochs=1", "optimizer.lr=0.03", "optimizer.scaling=none", "augmentation=none", "trainer.clip=5"]
    random = ["encoder=random", "backbone=cpc", "backbone.width=16", "backbone.hidden=24", "dataset.form=frames"]
    for name, encoder, steps in (("cpc", [f"encoder={folder}/cpc"], 110), ("random", random, 4)):
        path = folder / f"{name}-transcribing"
        run(finetune, *data, *encoder, *options, f"min_steps={steps}", "trainer.precision=fp32", f"run.dir={path}")
        found = {r["metric"]: r for r in rows(path)}
        assert found.keys() == {"wer", "cer"} and found["cer"]["labels"] == 40
        with (path / "transcripts.csv").open() as file:
            table = list(csv.DictReader(file))
        assert len(table) == found["wer"]["n"] == 16 and {len(row["reference"]) for row in table} == {3, 5}
        with safe_open(path / "transcriber.safetensors", "pt") as head:
            assert json.loads(head.metadata()["alphabet"]) == [" ", "a", "b", "c", "d"]
            assert head.metadata()["timesteps_per_output"] == "4"  # 40 ms of 10
            assert head.get_tensor("weight").shape == (6, 24)
        assert "cer" in (path / "report.html").read_text()
    cer = next(r for r in rows(folder / "cpc-transcribing") if r["metric"] == "cer")
    assert 0 <= cer["low"] <= cer["value"] <= cer["high"] and cer["value"] < 0.97  # 1 if nothing is transcribed


def test_a_transcriber_is_started_by_no_regression(folder: Path) -> None:
    data = [f"dataset.path={folder / 'recordings'}", "dataset.sample_rate=8000", PATTERN, "dataset=audio"]
    data += ["dataset.seconds=0.12", "dataset.mels=24", "dataset.join=[2,3]", "dataset.words=[a,b,c,d]"]
    with pytest.raises(ConfigError, match="head=regression starts a classifier, not a transcriber"):
        run(finetune, *data, f"encoder={folder}/cpc", "head=regression", f"run.dir={folder}/refused")
    assert not (folder / "refused").exists()


def test_images_have_no_time_steps_to_transcribe(folder: Path) -> None:
    options = ["dataset=tones", "dataset.join=[2,3]", f"run.dir={folder}/refused"]
    with pytest.raises(ConfigError, match="backbone=small_cnn has no time steps to transcribe"):
        run(finetune, f"encoder={folder}/byol", *options)


def test_a_form_that_the_method_does_not_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="method=mae reads images; dataset=tones gives series or views"):
        run(pretrain, "method=mae", "dataset=tones", "dataset.form=frames", f"run.dir={tmp_path}/run")


def test_waves_take_no_masks_of_bands(tmp_path: Path) -> None:
    overrides = ["method=cpc", "backbone=cpc_wave", "dataset.form=wave", "augmentation=audio_weak"]
    with pytest.raises(ConfigError, match="augmentation=audio_weak: FrequencyMask does not apply to waveforms"):
        run(pretrain, *overrides, f"run.dir={tmp_path}/run")
