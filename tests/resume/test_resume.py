"""A run that was killed and continued ends with the bits of one that was not."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

STEPS = 24
COMMON = [
    "pretrain", "augmentation=digits", "loader.batch_size=128", "loader.workers=1", f"trainer.steps={STEPS}",
    "trainer.precision=fp32", "monitor.every_epochs=1", "monitor.items=64", "trainer.log_steps=1",
]  # fmt: skip


def start(folder: Path, *overrides: str) -> "subprocess.Popen[str]":
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "sslrun", *COMMON, f"run.dir={folder}", *overrides],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]") -> str:
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def state(folder: Path) -> dict[str, torch.Tensor]:
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == STEPS
    return {k: v for k, v in checkpoint["state_dict"].items() if isinstance(v, torch.Tensor)}


def logged(folder: Path) -> list[tuple[str, str, str]]:
    """(step, name, value) of every row that does not tell of time."""
    with (folder / "metrics.csv").open() as file:
        rows = [(r["step"], r["name"], r["value"]) for r in csv.DictReader(file)]
    return sorted(r for r in rows if r[1] not in ("train/images_per_second", "train/data_wait"))


def assert_equal_runs(a: Path, b: Path) -> None:
    first, second = state(a), state(b)
    assert first.keys() == second.keys()
    assert [k for k in first if not torch.equal(first[k], second[k])] == []
    assert logged(a) == logged(b)


def kill_after_checkpoint(process: "subprocess.Popen[str]", folder: Path) -> None:
    """kill -9 some steps after the first checkpoint, in the middle of an epoch."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline and process.poll() is None:
        if (folder / "checkpoints" / "last.ckpt").exists():
            process.send_signal(signal.SIGKILL)
            process.wait()
            return
        time.sleep(0.002)
    raise AssertionError(f"the run ended before it could be killed: {process.communicate()[0]}")


@pytest.mark.parametrize("method", ["simclr", "byol"])
def test_kill_9_in_mid_epoch_then_the_same_command(tmp_path: Path, method: str) -> None:
    overrides = [f"method={method}", "trainer.checkpoint_steps=5", "method.hidden_dim=64"]
    finish(start(tmp_path / "whole", *overrides))
    kill_after_checkpoint(start(tmp_path / "killed", *overrides), tmp_path / "killed")
    finish(start(tmp_path / "killed", *overrides))
    assert_equal_runs(tmp_path / "whole", tmp_path / "killed")
    assert "is finished; its report: " in finish(start(tmp_path / "killed", *overrides))


def test_sigterm_saves_and_resume_goes_on(tmp_path: Path) -> None:
    overrides = ["method=byol", "trainer.accumulate=2", "method.hidden_dim=64"]
    finish(start(tmp_path / "whole", *overrides))
    folder = tmp_path / "stopped"
    process = start(folder, *overrides)
    deadline = time.monotonic() + 180
    while not (folder / "metrics.csv").exists() or len((folder / "metrics.csv").read_text().splitlines()) < 20:
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 3, output
    assert f"continue with: sslrun resume {folder}" in output
    done = subprocess.run(
        [sys.executable, "-m", "sslrun", "resume", str(folder)], capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"}, check=True,
    )  # fmt: skip
    assert "resume " in done.stdout
    assert_equal_runs(tmp_path / "whole", folder)


def test_two_ranks_train_like_one_process_and_say_it_once(tmp_path: Path) -> None:
    """Weights differ only by the order of sums; BatchNorm is per rank, so the net here has none."""
    overrides = [
        "method=simclr",
        "backbone=vit_tiny",
        "backbone.patch_size=4",
        "method.hidden_dim=64",
        "trainer.steps=3",
    ]
    overrides += ["optimizer=sgd", "monitor.every_epochs=0", "trainer.checkpoint_steps=1"]
    finish(start(tmp_path / "one", *overrides, "trainer.devices=1"))
    output = finish(start(tmp_path / "two", *overrides, "trainer.devices=2", "trainer.strategy=ddp"))
    assert output.count("learning rate") == 1 and "error" not in output
    losses = [[float(v) for s, n, v in logged(tmp_path / run) if n == "train/lr"] for run in ("one", "two")]
    assert losses[0] == losses[1] and len(losses[0]) == 3
