"""A signal at any moment of a command: it says that it was stopped, and the same command goes on to the same end."""

import json
from pathlib import Path
from typing import Any

import pytest

from children import Runner, signal_at
from runfolders import FakeSlurm
from sessions import EXIT_INTERRUPTED, assert_equal_runs
from sslrun.runs.newest import last_step

pytestmark = pytest.mark.xdist_group("signals")  # one worker, which trains what they share once

STEPS = 3
SMALL = ["augmentation=digits", "loader.batch_size=64", "loader.workers=0", "backbone=small_cnn", "backbone.width=4"]
PRETRAIN = [
    "pretrain", "method=simclr", "method.hidden_dim=16", *SMALL, f"trainer.steps={STEPS}", "trainer.accumulate=2",
    "trainer.precision=fp32", "trainer.log_steps=1", "monitor.every_epochs=0", "monitor.items=64",
]  # fmt: skip
PROBE = [
    "probe", "encoder=random", "dataset=digits", "backbone=small_cnn", "backbone.width=4", "baselines=[]", "labels=[]",
    "loader.workers=0",
]  # fmt: skip
PREEMPTED = "JobState=RUNNING BatchFlag=1 Requeue=1 PreemptTime=2026-01-02T03:04:05"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, _warm: None) -> Path:
    """The run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    Runner(folder / "output.txt").run(*PRETRAIN, f"run.dir={folder / 'run'}")
    return folder / "run"


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def numbers(folder: Path) -> list[dict[str, Any]]:
    rows = json.loads((folder / "results.json").read_text())["rows"]
    return [{k: v for k, v in row.items() if k != "encoder"} for row in rows]


@pytest.mark.parametrize(
    ("place", "call", "saved"),
    [
        ("pytorch_lightning:Trainer._run_stage", 1, 1),  # Lightning has just put its own handlers in place
        ("sslrun.training.module:Training.training_step", 3, 2),  # the first of two micro-batches
        ("sslrun.training.module:Training.on_fit_end", 1, STEPS),
        pytest.param("sslrun.monitors.health:Health.rows", 1, STEPS, marks=pytest.mark.recovery),
        pytest.param("sslrun.backbones.folder:save_file", 1, STEPS, marks=pytest.mark.recovery),
        ("sslrun.backbones.folder:write_json", 1, STEPS),
    ],
)
def test_pretraining_is_stopped_and_goes_on(
    tmp_path: Path, runner: Runner, whole: Path, place: str, call: int, saved: int
) -> None:
    folder = tmp_path / "run"
    told = runner.run(*PRETRAIN, f"run.dir={folder}", code=EXIT_INTERRUPTED, before=signal_at(place, call=call))
    assert f"stopped (SIGTERM) and saved; continue with: sslrun resume {folder}" in told and "Traceback" not in told
    assert last_step(folder / "checkpoints") == saved
    assert manifest(folder)["status"] == "interrupted" and not (folder / "results.json").exists()
    told = runner.run(*PRETRAIN, "loader.workers=1", f"run.dir={folder}")
    assert "resumed with 1 loader worker a process, 0 before: the data and their order are the same" in told
    assert [manifest(run)["workers"] for run in (whole, folder)] == [0, 1]
    assert_equal_runs(whole, folder, step=STEPS)
    assert numbers(folder) == numbers(whole)
    weights = [(run / "encoder" / "model.safetensors").read_bytes() for run in (folder, whole)]
    assert weights[0] == weights[1] and list(folder.rglob("*.tmp")) == []


def test_before_there_is_a_run_nothing_is_left(tmp_path: Path, runner: Runner) -> None:
    before = signal_at("sslrun.commands.pretrain:build_data")
    told = runner.run(*PRETRAIN, f"run.dir={tmp_path / 'run'}", code=EXIT_INTERRUPTED, before=before)
    assert "\nstopped (SIGTERM); the same command starts it again" in told
    assert not (tmp_path / "run").exists()


def test_a_run_whose_results_are_being_written_finishes(tmp_path: Path, runner: Runner) -> None:
    folder = tmp_path / "run"
    runner.run(*PROBE, f"run.dir={folder}", before=signal_at("sslrun.runs.folder:RunFolder.write_rows"))
    assert manifest(folder)["status"] == "finished" and (folder / "report.html").exists()


def test_a_preempted_probe_comes_back_and_finishes(
    tmp_path: Path, runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, slurm = tmp_path / "run", FakeSlurm(tmp_path / "slurm")
    slurm.ended(PREEMPTED)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setenv("PATH", str(slurm.bin), prepend=":")
    command = [*PROBE, f"run.dir={folder}"]
    told = runner.run(*command, code=EXIT_INTERRUPTED, before=signal_at("sslrun.evaluation.probes.classes:probe_rows"))
    assert "stopped (SIGTERM); it is in the queue again" in told and "scontrol requeue 7" in slurm.calls()
    assert [s["status"] for s in manifest(folder)["sessions"]] == ["interrupted"]
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    runner.run(*command)
    assert [s["status"] for s in manifest(folder)["sessions"]] == ["interrupted", "finished"]
    assert numbers(folder)


def test_a_command_without_a_run_says_that_it_was_stopped(tmp_path: Path, runner: Runner) -> None:
    command = ["preview", "method=simclr", *SMALL[:1], f"run.dir={tmp_path / 'run'}"]
    told = runner.run(*command, code=EXIT_INTERRUPTED, before=signal_at("sslrun.commands.preview:preview"))
    assert told == "\nstopped (SIGTERM); the same command starts it again\n"
