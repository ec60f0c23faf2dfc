"""Fine-tuning that was interrupted and continued ends with the bits of one that was not."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from children import Runner
from sessions import EXIT_INTERRUPTED, assert_equal_runs
from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig

STEPS = 100
INPUTS = {"channels": 1, "image_size": 8, "mean": [0.3], "std": [0.37], "classes": 10}


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Fine-tuning of an encoder in a folder, with a few labels, checked every 20 steps."""
    torch.manual_seed(0)
    build_encoder(SmallCNNConfig(name="small_cnn"), INPUTS).save(tmp_path / "encoder")
    return [
        "finetune", f"encoder={tmp_path / 'encoder'}", "dataset=digits", "labels=20", "augmentation=digits",
        "trainer.precision=fp32", "loader.workers=1", "loader.batch_size=64", f"trainer.steps={STEPS}",
    ]  # fmt: skip


def rows(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    return found


def assert_equal_ends(a: Path, b: Path, *, step: int) -> None:
    """Weights at the end and the best ones, the log, the results."""
    assert_equal_runs(a, b, step=step)
    for file in ("encoder/model.safetensors", "classifier.safetensors"):
        first, second = load_file(a / file), load_file(b / file)
        assert first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)
    assert rows(a) == rows(b)


@pytest.mark.recovery
def test_sigterm_in_mid_run_then_the_same_command(tmp_path: Path, runner: Runner, command: list[str]) -> None:
    """The head is started on features once, not again when the run goes on."""
    command = [*command, "head=regression"]
    whole, folder = tmp_path / "whole", tmp_path / "stopped"
    runner.run(*command, f"run.dir={whole}")
    child = runner.start(*command, f"run.dir={folder}")
    child.wait_until((folder / "checkpoints" / "best.ckpt").exists)  # after the first check
    assert child.send(signal.SIGTERM) == EXIT_INTERRUPTED
    assert "stopped (SIGTERM) and saved" in runner.log.read_text()
    step = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 20 <= step < STEPS
    runner.run(*command, f"run.dir={folder}")
    assert_equal_ends(whole, folder, step=STEPS)


@pytest.mark.recovery
def test_killed_after_an_early_stop_it_trains_no_further(tmp_path: Path, runner: Runner, command: list[str]) -> None:
    """The window between the last checkpoint and the results."""
    command = [*command, "patience=1", "optimizer.lr=0.3"]  # soon no better
    whole, folder = tmp_path / "whole", tmp_path / "killed"
    runner.run(*command, f"run.dir={whole}")
    stopped = torch.load(whole / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert stopped < STEPS
    child = runner.start(*command, f"run.dir={folder}")
    child.wait_until((folder / "checkpoints" / "last.ckpt").exists)
    assert child.send(signal.SIGKILL) == -signal.SIGKILL
    runner.run(*command, f"run.dir={folder}")
    assert_equal_ends(whole, folder, step=stopped)
