"""A small run from its first step to a fine-tuned net, as a person types it; Ctrl-C, every logger, what is exported."""

import itertools
import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

import sslrun
from children import Runner, signal_at
from sessions import EXIT_INTERRUPTED, logged

pytestmark = pytest.mark.xdist_group("commands")  # one worker, which trains what they share once

STEPS = 6
VIT = [
    "augmentation=digits", "loader.batch_size=64", "loader.workers=0", "backbone=vit_tiny", "backbone.patch_size=4",
    "+backbone.options={depth:4,embed_dim:32,num_heads:2}",
]  # fmt: skip
PRETRAIN = [
    "pretrain", "method=simclr", "method.hidden_dim=16", *VIT, f"trainer.steps={STEPS}", "trainer.log_steps=1",
    "monitor.every_epochs=0", "monitor.items=64", "logger=tensorboard",
]  # fmt: skip
TUNED = ["loader.workers=0", "loader.batch_size=64", "augmentation=digits"]


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory, _warm: None) -> tuple[Path, str]:
    """A run that Ctrl-C stopped and that the same command brought to its end; what was printed at Ctrl-C."""
    folder = tmp_path_factory.mktemp("commands")
    runner, command = Runner(folder / "output.txt"), [*PRETRAIN, f"run.dir={folder / 'run'}"]
    before = signal_at("sslrun.training.module:Training.training_step", call=3, number=signal.SIGINT)
    told = runner.run(*command, code=EXIT_INTERRUPTED, before=before)
    runner.run(*command)
    return folder / "run", told


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    return found


def test_ctrl_c_saves_and_says_how_to_go_on(interrupted: tuple[Path, str]) -> None:
    run, told = interrupted
    assert f"stopped (SIGINT) and saved; continue with: sslrun resume {run}" in told
    manifest = json.loads((run / "run.json").read_text())
    assert [(s["status"], s["from_step"], s["to_step"]) for s in manifest["sessions"]] == [
        ("interrupted", 0, 3), ("finished", 3, STEPS),
    ]  # fmt: skip


def test_tensorboard_has_what_the_table_has(interrupted: tuple[Path, str]) -> None:
    run, _ = interrupted
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    told = {event.step: event.value for event in events.Scalars("train/loss")}
    expected = {int(step): float(value) for step, name, value in logged(run) if name == "train/loss"}
    assert len(expected) == STEPS and told == pytest.approx(expected, rel=1e-5)


def test_what_is_exported_is_the_encoder(interrupted: tuple[Path, str], runner: Runner, tmp_path: Path) -> None:
    run, _ = interrupted
    assert f"step {STEPS}" in runner.run("export", str(run), str(tmp_path / "exported"))
    images = torch.rand(3, 1, 8, 8)
    own, exported = (sslrun.load_encoder(folder).eval() for folder in (run, tmp_path / "exported"))
    assert torch.equal(own(images), exported(images))


def test_a_preview_is_a_picture_of_images_and_views(runner: Runner, tmp_path: Path) -> None:
    told = runner.run("preview", "method=simclr", "augmentation=digits", "count=5", f"run.dir={tmp_path / 'seen'}")
    assert str(tmp_path / "seen" / "preview.png") in told
    with Image.open(tmp_path / "seen" / "preview.png") as picture:
        width, height = picture.size
        colours = picture.convert("L").getcolors()
    assert height >= 5 * 8 and width >= 3 * 8 and colours is not None and len(colours) > 10


def test_layers_far_from_the_head_are_tuned_less(interrupted: tuple[Path, str], runner: Runner, tmp_path: Path) -> None:
    run, _ = interrupted
    runner.run("finetune", f"encoder={run}", "labels=5", "layer_decay=0.1", "min_steps=1", "trainer.steps=4",
               *TUNED, f"run.dir={tmp_path / 'tuned'}")  # fmt: skip
    before, after = (load_file(folder / "encoder" / "model.safetensors") for folder in (run, tmp_path / "tuned"))
    moved = [max(float((after[k] - before[k]).abs().max()) for k in before if f"blocks.{i}." in k) for i in range(4)]
    assert all(5 * lower < upper for lower, upper in itertools.pairwise(moved)), moved
    assert {row["encoder"] for row in rows(tmp_path / "tuned")} == {f"{run.parent.name}/{run.name}"}


@pytest.mark.draws
def test_from_scratch_is_the_same_command(runner: Runner, tmp_path: Path) -> None:
    runner.run("finetune", "encoder=random", "backbone=small_cnn", "dataset=digits", "labels=20",
                      "trainer.steps=60", *TUNED, f"run.dir={tmp_path / 'run'}")  # fmt: skip
    found = {row["metric"]: row for row in rows(tmp_path / "run")}
    assert {row["encoder"] for row in found.values()} == {"random"} and found["top1"]["labels"] == 20
    assert found["top1"]["low"] > 0.4  # chance is .1
    assert {"top5", "macro_f1", "balanced_accuracy", "auroc", "ece"} <= found.keys()
    assert "<svg" in (tmp_path / "run" / "report.html").read_text()
