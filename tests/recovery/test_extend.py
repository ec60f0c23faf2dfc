"""A run is made longer, forked, stopped early; each killed in the middle ends as one that was not."""

import itertools
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from children import Runner
from sessions import EXIT_INTERRUPTED, assert_equal_runs, logged
from sslrun.runs import signals
from sslrun.runs.newest import LAST, newest
from sslrun.training.checkpoints import Checkpoints

COMMON = [
    "pretrain", "augmentation=digits", "loader.batch_size=128", "loader.workers=0", "trainer.precision=fp32",
    "monitor.every_epochs=0", "trainer.log_steps=1", "method=byol", "method.hidden_dim=32", "method.out_dim=16",
]  # fmt: skip
pytestmark = pytest.mark.recovery


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def rates(folder: Path) -> dict[int, float]:
    return {int(step): float(value) for step, name, value in logged(folder) if name == "train/lr"}


def die_at(step: int) -> Callable[[], None]:
    """In the child: kill -9 after the checkpoint of `step`."""

    def arrange() -> None:
        save = Checkpoints.save

        def save_and_die(self: Any, trainer: Any, name: str) -> None:
            save(self, trainer, name)
            if trainer.global_step == step and name == LAST:
                os.kill(os.getpid(), signal.SIGKILL)

        Checkpoints.save = save_and_die  # type: ignore[method-assign]

    return arrange


def test_longer_needs_a_choice_and_shorter_is_refused(tmp_path: Path, runner: Runner) -> None:
    command = [*COMMON, f"run.dir={tmp_path / 'run'}"]
    runner.run(*command, "trainer.steps=4")
    before = (tmp_path / "run" / "run.json").read_bytes()
    told = runner.run(*command, "trainer.steps=8", code=2)
    assert "trainer.steps: 4 -> 8" in told and "run.extend=stretch" in told and "run.extend=restart" in told
    assert "choose another run.dir" in runner.run(*command, "trainer.steps=3", code=2)
    assert "the run has done 4 of 4" in runner.run(*command, "trainer.steps=3", "run.extend=stretch", code=2)
    assert (tmp_path / "run" / "run.json").read_bytes() == before


@pytest.mark.parametrize("how", ["stretch", "restart"])
def test_extended_killed_and_continued(tmp_path: Path, runner: Runner, how: str) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for folder in (whole, killed):
        runner.run(*COMMON, f"run.dir={folder}", "trainer.steps=6", "schedule.warmup_epochs=0.25")
    longer = [*COMMON, "trainer.steps=14", "schedule.warmup_epochs=0.25", "trainer.checkpoint_steps=1"]
    told = runner.run(*longer, f"run.dir={whole}", f"run.extend={how}")
    assert f"; 6 before, schedules {'restarted' if how == 'restart' else 'stretched'} from step 6 on" in told

    runner.run(*longer, f"run.dir={killed}", f"run.extend={how}", code=-9, before=die_at(9))
    assert manifest(killed)["status"] == "running" and not (killed / "encoder").exists()  # it would be the old one
    runner.run("resume", str(killed))
    assert_equal_runs(whole, killed, step=14)
    for folder in (whole, killed):
        told = manifest(folder)
        assert told["extended"] == [{"at": 6, "from": 6, "to": 14, "how": how}]
        assert (told["total_steps"], told["schedule_start"]) == (14, 6 if how == "restart" else 0)
        assert (told["status"], told["length"]["trainer.steps"]) == ("finished", 14)
        assert (folder / "finished-at-6" / "results.json").is_file()
        assert (folder / "finished-at-6" / "encoder" / "model.safetensors").is_file()
    assert "is finished" in runner.run(*longer, f"run.dir={whole}")
    rate = rates(whole)
    if how == "restart":  # 8 added steps, none of them warm-up below 10 %
        assert rate[7] == pytest.approx(rate[1])
    else:
        planned = tmp_path / "planned"
        runner.run(*longer, f"run.dir={planned}")
        assert {s: rate[s] for s in range(7, 15)} == {s: rates(planned)[s] for s in range(7, 15)}


def test_a_fork_leaves_the_old_run_and_is_found_again(tmp_path: Path, runner: Runner) -> None:
    folder, fork = tmp_path / "run", tmp_path / "run-fork1"
    command = [*COMMON, f"run.dir={folder}", "trainer.steps=6"]

    def ask() -> None:
        asked = itertools.count(1)
        signals.received = lambda: signal.SIGTERM if next(asked) >= 3 else None

    runner.run(*command, code=EXIT_INTERRUPTED, before=ask)
    before = {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}
    told = runner.run(*command, "optimizer.lr=0.5", "run.on_change=fork")
    assert f"fork of {folder} at step 3 (optimizer.lr: 0.2 -> 0.5)" in told
    assert {p.name: p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"} == before
    assert manifest(fork)["parent"] == str(folder) and manifest(fork)["forked_at"] == 3
    assert sorted(rates(fork)) == [1, 2, 3, 4, 5, 6]
    assert {s: rates(fork)[s] for s in (1, 2, 3)} == rates(folder)
    optimizer = torch.load(fork / "checkpoints" / "last.ckpt", weights_only=True)["optimizer_states"][0]
    assert optimizer["param_groups"][0]["full_lr"] == 0.25  # 0.5 x 128 / 256
    assert "is finished" in runner.run(*command, "optimizer.lr=0.5", "run.on_change=fork")
    runner.run(*command, "optimizer.lr=0.4", "run.on_change=fork")
    assert (tmp_path / "run-fork2" / "run.json").is_file()
    told = runner.run(*command, "method.hidden_dim=48", "run.on_change=fork", code=2)
    assert "the checkpoint does not fit this configuration: size mismatch for method." in told
    told = runner.run(*command, "optimizer=sgd", "run.on_change=fork", code=2)
    assert "optimizer.kind: lars -> sgd: the checkpoint of" in told
    assert manifest(folder)["status"] == "interrupted"


def test_patience_ends_the_run_as_finished(tmp_path: Path, runner: Runner) -> None:
    command = [*COMMON, "trainer.steps=40", "monitor.every_epochs=0.25", "monitor.items=64", "monitor.patience=2",
               "optimizer.lr=1e-9"]  # fmt: skip
    told = runner.run(*command, f"run.dir={tmp_path}")
    found = manifest(tmp_path)
    assert found["status"] == "finished" and found["stopped_early"] in told
    assert "2 checks without a better probe/linear (monitor.patience)" in found["stopped_early"]
    checkpoint = newest(tmp_path / "checkpoints")
    assert checkpoint is not None and f"at step {checkpoint.step} of 40" in found["stopped_early"]
    assert max(int(s) for s, _, _ in logged(tmp_path)) == checkpoint.step


@pytest.mark.parametrize("share", [0.5, 1.0], ids=["between two checks", "after the stop"])
def test_patience_survives_a_kill(tmp_path: Path, runner: Runner, share: float) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    command = [*COMMON, "trainer.steps=40", "monitor.every_epochs=0.25", "monitor.items=64", "monitor.patience=2",
               "optimizer.lr=1e-9", "trainer.checkpoint_steps=1"]  # fmt: skip
    runner.run(*command, f"run.dir={whole}")
    checkpoint = newest(whole / "checkpoints")
    assert checkpoint is not None and checkpoint.step < 40
    runner.run(*command, f"run.dir={killed}", code=-9, before=die_at(round(share * checkpoint.step)))
    runner.run(*command, f"run.dir={killed}")
    assert_equal_runs(whole, killed, step=checkpoint.step)
    assert manifest(killed)["stopped_early"] == manifest(whole)["stopped_early"]
