"""The same command on a real SLURM of two nodes with two CPUs each: launched, preempted, cancelled, crashing."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sessions import assert_equal_runs, finish, start
from sslrun.config.overrides import quoted

pytestmark = pytest.mark.slurm

COMMON = [
    "pretrain", "augmentation=digits", "method=byol", "method.hidden_dim=64", "loader.batch_size=128",
    "loader.workers=1", "monitor.every_epochs=0", "trainer.precision=fp32", "trainer.accelerator=cpu",
    "trainer.log_steps=1", "trainer.checkpoint_minutes=60",
]  # fmt: skip
SLURM = ["hydra/launcher=slurm", "hydra.launcher.poll_seconds=0.5", "hydra.launcher.time=10"]
LONG = 1200
"""Steps of a run that others interrupt."""


def wait_for(reached: Callable[[], Any], *, minutes: float = 4) -> Any:
    """What `reached` gives once it is true."""
    deadline = time.monotonic() + 60 * minutes
    while not (found := reached()):
        assert time.monotonic() < deadline, squeue()
        time.sleep(0.2)
    return found


def squeue() -> str:
    """The queue, a line for each task."""
    return subprocess.run(["squeue", "-r", "--noheader"], capture_output=True, text=True, check=True).stdout


def facts(folder: Path) -> dict[str, str]:
    """What SLURM knows of the job in a run folder."""
    record = json.loads((folder / "job.json").read_text())
    show = ["scontrol", "show", "job", f"{record['job']}_{record['task']}"]
    words = subprocess.run(show, capture_output=True, text=True, check=True).stdout.split()
    return dict(word.split("=", 1) for word in words if "=" in word)


def manifest(folder: Path) -> dict[str, Any]:
    """run.json, empty where there is none."""
    path = folder / "run.json"
    return json.loads(path.read_text()) if path.exists() else {}


def lines(folder: Path) -> int:
    """Of metrics.csv."""
    path = folder / "metrics.csv"
    return len(path.read_text().splitlines()) if path.exists() else 0


def state(folder: Path) -> str:
    """What `sslrun runs` says."""
    rows = json.loads(finish(start("runs", str(folder), "--json")))["runs"]
    assert len(rows) == 1
    return rows[0]["state"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    finish(start(*COMMON, f"trainer.steps={LONG}", f"run.dir={folder}"), seconds=600)
    return folder


def test_a_sweep_of_four_is_one_array(tmp_path: Path) -> None:
    output = finish(start(*COMMON, "-m", "seed=1,2,3,4", "trainer.steps=3", *SLURM, f"run.dir={tmp_path / 'sweep'}"))
    assert output.count("finished") == 4 and output.count("SLURM job") == 1
    script = (tmp_path / "sweep" / "slurm" / "0-3.sh").read_text()
    assert "#SBATCH --array=0-3%64" in script and "#SBATCH --requeue" in script
    for number in range(4):
        run = tmp_path / "sweep" / str(number)
        assert manifest(run)["status"] == "finished"
        assert (run / "sbatch.sh").read_text() == script
        assert f"seed={number + 1}" in (run / "job.sh").read_text()
        assert "encoder" in (run / "log.txt").read_text()
    again = finish(start(*COMMON, "-m", "seed=1,2,3,4", "trainer.steps=3", *SLURM, f"run.dir={tmp_path / 'sweep'}"))
    assert again.count("finished") == 4 and "SLURM job" not in again  # what is there is not done again


def test_two_nodes_train_like_two_processes(tmp_path: Path) -> None:
    short = [*COMMON, "trainer.steps=4"]
    finish(start(*short, *SLURM, "hydra.launcher.nodes=2", f"run.dir={tmp_path / 'nodes'}"))
    log = (tmp_path / "nodes" / "log.txt").read_text()
    assert "2 devices" in log and log.count("learning rate") == 1
    assert (tmp_path / "nodes" / "log-rank1.txt").read_text() == ""
    finish(start(*short, "trainer.devices=2", "trainer.strategy=ddp", f"run.dir={tmp_path / 'local'}"))
    assert_equal_runs(tmp_path / "nodes", tmp_path / "local", step=4)


def test_the_time_limit_puts_a_run_into_the_queue_again(tmp_path: Path) -> None:
    folder, whole = tmp_path / "limited", tmp_path / "whole"
    command = [*COMMON, "trainer.steps=4000"]
    limit = ["hydra/launcher=slurm", "hydra.launcher.time=2", "hydra.launcher.signal_seconds=30"]
    launcher = start(*command, *limit, "hydra.launcher.poll_seconds=0.5", f"run.dir={folder}")
    assert "finished" in finish(launcher, seconds=1800)
    finish(start(*command, f"run.dir={whole}"), seconds=900)
    sessions = manifest(folder)["sessions"]
    assert [s["status"] for s in sessions[:-1]] == ["interrupted"] * (len(sessions) - 1) and len(sessions) > 1
    assert "stopped (SIGUSR1) and saved; it is in the queue again" in (folder / "log.txt").read_text()
    assert_equal_runs(whole, folder, step=4000)


def test_a_preempted_run_comes_back_with_the_same_bits(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "run"
    launcher = start(*COMMON, f"trainer.steps={LONG}", *SLURM, f"run.dir={folder}")
    wait_for(lambda: lines(folder) > 30)
    assert state(folder) == "running"
    urgent = ["sbatch", "--parsable", "-p", "high", "-N2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 30"]
    subprocess.run(urgent, check=True, capture_output=True)
    wait_for(lambda: manifest(folder)["status"] == "interrupted")
    wait_for(lambda: facts(folder)["JobState"] == "PENDING")
    assert state(folder) == "preempted"
    assert "finished" in finish(launcher, seconds=600)
    assert state(folder) == "finished"
    assert int(facts(folder)["Restarts"]) == 1
    assert "stopped (SIGTERM) and saved; it is in the queue again" in (folder / "log.txt").read_text()
    assert_equal_runs(whole, folder, step=LONG)


def test_a_cancelled_run_stays_cancelled_and_goes_on_by_the_same_command(tmp_path: Path, whole: Path) -> None:
    folder = tmp_path / "run"
    command = [*COMMON, f"trainer.steps={LONG}", f"run.dir={folder}"]
    launcher = start(*command, *SLURM)
    wait_for(lambda: lines(folder) > 30)
    subprocess.run(["scancel", facts(folder)["JobId"]], check=True)
    assert "stopped and saved; the same command continues it" in finish(launcher, code=2)
    assert facts(folder)["JobState"] == "CANCELLED" and squeue() == ""
    assert manifest(folder)["status"] == "interrupted" and state(folder) == "interrupted"
    assert "finished" in finish(start(*command, *SLURM), seconds=600)
    assert_equal_runs(whole, folder, step=LONG)


def test_a_run_that_crashes_again_and_again_gives_up(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("raise SystemExit('error: this node has no memory')\n")
    folder = tmp_path / "run"
    setup = f"hydra.launcher.setup=['export PYTHONPATH={tmp_path}']"
    retries = ["hydra.launcher.retries=1", setup]
    output = finish(start(*COMMON, "trainer.steps=3", *SLURM, *retries, f"run.dir={folder}"), code=2)
    assert "this node has no memory" in output
    assert len((folder / "crashes.txt").read_text().splitlines()) == 2
    assert int(facts(folder)["Restarts"]) == 1 and squeue() == ""
    assert state(folder) == "failed"


def test_a_rank_that_fails_ends_the_job_with_its_message(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os\nif os.environ.get('SLURM_PROCID') == '1':\n    raise SystemExit('error: rank 1 lost its disk')\n"
    )
    folder = tmp_path / "run"
    setup = [f"hydra.launcher.setup=['export PYTHONPATH={tmp_path}']", "hydra.launcher.retries=0"]
    two = [*SLURM, *setup, "hydra.launcher.nodes=2"]
    output = finish(start(*COMMON, "trainer.steps=3", *two, f"run.dir={folder}"), code=2)
    assert "failed: rank 1: SystemExit: error: rank 1 lost its disk" in output


def test_a_users_error_that_one_rank_tells_is_final_though_srun_kills_the_other(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\nif os.environ.get('SLURM_PROCID') == '1':\n"
        "    print('sslrun: error: no images under /data', file=sys.stderr, flush=True)\n    os._exit(2)\n"
    )
    folder = tmp_path / "é 100% 'run'"
    two = [*SLURM, f"hydra.launcher.setup=['export PYTHONPATH={tmp_path}']", "hydra.launcher.nodes=2"]
    output = finish(start(*COMMON, "trainer.steps=3", *two, f"run.dir={quoted(str(folder))}"), code=2)
    assert "failed: rank 1: sslrun: error: no images under /data" in output
    assert facts(folder)["Restarts"] == "0" and facts(folder)["ExitCode"] == "2:0"
    assert not (folder / "crashes.txt").exists() and list((folder / "slurm").glob("*_0.out"))


def test_a_queued_run_is_told_and_wait_false_returns(tmp_path: Path) -> None:
    filler = ["sbatch", "--parsable", "-N2", "--exclusive", "--output=/dev/null", "--wrap", "sleep 300"]
    blocker = subprocess.run(filler, check=True, capture_output=True, text=True).stdout.strip()
    folder = tmp_path / "run"
    command = [*COMMON, "trainer.steps=3", *SLURM, f"run.dir={folder}"]
    assert "submitted" in finish(start(*command, "hydra.launcher.wait=false"))
    assert state(folder) == "queued"
    launcher = start(*command)  # waits for the job that is there
    subprocess.run(["scancel", blocker], check=True)
    output = finish(launcher)
    assert "SLURM job" not in output and "finished" in output


def test_what_a_user_gets_wrong_is_told_before_anything_is_submitted(tmp_path: Path) -> None:
    wrong = finish(start(*COMMON, *SLURM, "hydra.launcher.partition=nowhere", f"run.dir={tmp_path / 'a'}"), code=2)
    assert "sbatch refused" in wrong and "partition" in wrong
    typo = finish(start(*COMMON, "-m", "method.decay_strat=.9,.99", *SLURM, f"run.dir={tmp_path / 'b'}"), code=2)
    assert "did you mean 'decay_start'" in typo and squeue() == ""


def test_an_optuna_sweep_is_a_job_for_each_trial(tmp_path: Path) -> None:
    sweep = tmp_path / "sweep"
    space = [
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.n_jobs=2",
        "optimizer.lr=interval(.1,.5)",
    ]
    output = finish(start(*COMMON, "-m", "trainer.steps=3", *space, *SLURM, f"run.dir={sweep}"))
    assert output.count("SLURM job") == 3
    assert [manifest(sweep / str(number))["status"] for number in range(3)] == ["finished"] * 3
    assert (sweep / "report.html").exists() and (sweep / "best.yaml").exists()
