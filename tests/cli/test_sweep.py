"""Sweeps as a person starts them, on embedded digits."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import yaml

from children import Runner
from sslrun.sweeps.record import read_record
from sslrun.sweeps.study import open_storage

TINY = [
    "augmentation=digits", "backbone=small_cnn", "backbone.width=4", "loader.workers=0", "loader.batch_size=128",
    "method.hidden_dim=8", "monitor.items=32",
]  # fmt: skip


def sslrun(*arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "sslrun", *arguments],
        capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=300,
    )  # fmt: skip
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def study_of(folder: Path) -> optuna.Study:
    record = read_record(folder)
    assert record is not None
    return optuna.load_study(study_name=record.study, storage=open_storage(record.storage))


@pytest.mark.slow
def test_a_search_prunes_inside_the_job_ends_with_a_page_and_continues(tmp_path: Path, runner: Runner) -> None:
    """SimCLR's loss at the one temperature is far from that at the other: the pruner cannot but see it."""
    folder = tmp_path / "sweep"
    command = [
        "pretrain", "-m", "hydra/sweeper=optuna", *TINY, "method.temperature=0.02,0.5", "trainer.steps=6",
        "trainer.log_steps=2", "monitor.every_epochs=0", "hydra.sweeper.sampler=random", "hydra.sweeper.seed=5",
        "hydra.sweeper.pruner=median", "hydra.sweeper.pruner_options={n_startup_trials:1}",
        "hydra.sweeper.metric=train/loss", "hydra.sweeper.direction=minimize", f"run.dir={folder}",
    ]  # fmt: skip
    runner.run(*command, "hydra.sweeper.n_trials=1")
    output = runner.run(*command, "hydra.sweeper.n_trials=4")
    study = study_of(folder)
    trials = study.get_trials()
    assert [t.number for t in trials] == list(range(4)) and all(t.state.is_finished() for t in trials)
    pruned = [t for t in trials if t.state is optuna.trial.TrialState.PRUNED]
    assert pruned and {t.params["method.temperature"] for t in pruned} == {0.02}
    for trial in trials:
        manifest = json.loads((folder / str(trial.number) / "run.json").read_text())
        assert manifest["status"] == ("pruned" if trial in pruned else "finished")
        assert sorted(trial.intermediate_values) == ([2] if trial in pruned else [2, 4, 6])
    best = yaml.safe_load((folder / "best.yaml").read_text())["best"][0]
    assert best["command"] in output and best["values"] == study.best_trial.values
    assert "<h2>History</h2>" in (folder / "report.html").read_text()
    again = runner.run(*command, "hydra.sweeper.n_trials=4")
    assert f"study sweep: 4 of 4 trials, {folder}" in again and "\npretrain " not in again


@pytest.mark.slow
def test_trials_as_processes_of_their_own_and_a_failure_among_them(tmp_path: Path) -> None:
    folder = tmp_path / "sweep"
    output = sslrun(
        "pretrain", "-m", "hydra/sweeper=optuna", "hydra/launcher=process", "hydra.launcher.jobs=2", *TINY,
        "hydra.sweeper.n_jobs=2", "hydra.sweeper.n_trials=2", "hydra.sweeper.sampler=random", "hydra.sweeper.seed=0",
        "backbone.width=4,-1,8", "trainer.steps=1", "monitor.every_epochs=0", f"run.dir={folder}",
    )  # fmt: skip
    trials = study_of(folder).get_trials()
    done = [t for t in trials if t.state is optuna.trial.TrialState.COMPLETE]
    assert len(done) == 2
    for trial in done:
        job = json.loads((folder / str(trial.number) / "job.json").read_text())
        assert job["launcher"] == "process"
        assert f"trial {trial.number}: " in output
    for trial in trials:
        assert (trial.params["backbone.width"] == -1) == (trial.state is optuna.trial.TrialState.FAIL)


@pytest.mark.slow
@pytest.mark.parametrize("launcher", ["basic", "process"])
def test_another_sweeper_goes_on_with_what_a_killed_one_left(launcher: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two, the other"

    def command(folder: Path, *, steps: int) -> list[str]:
        return [
            "pretrain", "-m", "hydra/sweeper=optuna", f"hydra/launcher={launcher}", *TINY, "method.temperature=0.1,0.5",
            f"trainer.steps={steps}", "trainer.log_steps=1", "monitor.every_epochs=0", "hydra.sweeper.seed=0",
            "hydra.sweeper.study_name=shared", f"hydra.sweeper.storage={tmp_path / 'journal'}",
            "hydra.sweeper.n_trials=2", f"run.dir='{folder}'", "run.extend=stretch",
        ]  # fmt: skip

    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    killed = subprocess.Popen([sys.executable, "-m", "sslrun", *command(one, steps=100_000)], env=environment)
    metrics, deadline = one / "0" / "metrics.csv", time.monotonic() + 300
    while not metrics.exists():
        assert killed.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    if launcher == "process":  # its job outlived it, and is killed as well
        os.kill(json.loads((one / "0" / "run.json").read_text())["pid"], signal.SIGKILL)
    told = sslrun(*command(two, steps=2))
    assert f"trial 0 was left by a sweeper that is gone, and continues in {one / '0'}" in told
    assert [t.state.name for t in study_of(two).get_trials()] == ["COMPLETE"] * 2
    runs = {p.parent: json.loads(p.read_text()) for p in tmp_path.glob("*/*/run.json")}
    assert {folder: (run["status"], len(run["sessions"])) for folder, run in runs.items()} == {
        one / "0": ("finished", 2), two / "1": ("finished", 1),
    }  # fmt: skip


@pytest.mark.slow
def test_a_job_that_is_killed_is_started_again_and_goes_on(tmp_path: Path) -> None:
    """Under a living sweeper, as by the system where memory is short."""
    folder = tmp_path / "sweep"
    command = [
        "pretrain", "-m", "hydra/sweeper=optuna", "hydra/launcher=process", *TINY, "seed=1,2",
        "hydra.sweeper.n_trials=1", "trainer.steps=300", "trainer.log_steps=1", "monitor.every_epochs=0",
        f"run.dir={folder}",
    ]  # fmt: skip
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    sweeper = subprocess.Popen([sys.executable, "-m", "sslrun", *command], env=environment)
    metrics, deadline = folder / "0" / "metrics.csv", time.monotonic() + 300
    while not metrics.exists():
        assert sweeper.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(json.loads((folder / "0" / "run.json").read_text())["pid"], signal.SIGKILL)
    assert sweeper.wait(timeout=300) == 0
    assert [t.state.name for t in study_of(folder).get_trials()] == ["COMPLETE"]
    manifest = json.loads((folder / "0" / "run.json").read_text())
    assert (manifest["status"], len(manifest["sessions"])) == ("finished", 2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=3"], "nothing to search"),
        (["seed=1,2", "hydra.sweeper.n_jobs=2"], "add hydra/launcher=process or slurm"),
        (["seed=1,2", "hydra/launcher=slurm", "hydra.launcher.wait=false"], "wait=false: a search waits for"),
        (["seed=1,2", "hydra.sweeper.sampler=tpi"], "hydra.sweeper.sampler"),
        (["seed=1,2", "hydra.sweeper.n_trials=0"], "hydra.sweeper.n_trials must be in"),
    ],
)
def test_a_search_that_cannot_be_is_refused_in_one_line(
    arguments: list[str], message: str, tmp_path: Path, runner: Runner
) -> None:
    output = runner.run("pretrain", "-m", "hydra/sweeper=optuna", *arguments, f"run.dir={tmp_path / 's'}", code=2)
    assert message in output and output.count("\n") == 1
    assert not (tmp_path / "s").exists()


@pytest.mark.slow
def test_each_run_of_a_sweep_in_one_process_is_a_run_of_its_own_at_wandb(tmp_path: Path, runner: Runner) -> None:
    quick = ["trainer.steps=1", "monitor.every_epochs=0", "logger=wandb", f"run.dir={tmp_path}"]
    runner.run("pretrain", "-m", "seed=1,2", *TINY, *quick)
    ids = [p.name.rsplit("-", 1)[1] for n in "01" for p in (tmp_path / n / "wandb").glob("offline-run-*")]
    assert len(ids) == len(set(ids)) == 2


def test_the_other_runs_of_a_sweep_go_on_where_one_fails(tmp_path: Path, runner: Runner) -> None:
    told = runner.run("pretrain", "-m", "loader.batch_size=5000,6000", f"run.dir={tmp_path / 's'}", code=2)
    for size in (5000, 6000):
        assert f"this run failed: loader.batch_size={size} is more than the 1131 training items" in told
    assert told.splitlines()[-1].startswith("sslrun: error: loader.batch_size=5000")


def test_a_sweep_file_for_wandb_runs_nothing(tmp_path: Path, runner: Runner) -> None:
    folder = tmp_path / "sweep"
    output = runner.run(
        "pretrain", "-m", "hydra/sweeper=wandb", "optimizer.lr=tag(log,interval(1e-3,1))", f"run.dir={folder}"
    )
    assert [p.name for p in folder.iterdir()] == ["wandb-sweep.yaml"] and "wandb agent" in output
