"""A study that is killed and started again loses no trial and runs none twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from sslrun.sweeps.record import read_record
from sslrun.sweeps.study import open_storage

TRIALS = 30


def start(folder: Path, log: Path) -> "subprocess.Popen[bytes]":
    """The same command each time."""
    command = [
        "pretrain", "-m", "hydra/sweeper=optuna", f"run.dir={folder}", f"hydra.sweeper.n_trials={TRIALS}",
        "hydra.sweeper.seed=0", "optimizer.lr=tag(log,interval(1e-3,1))", "method=simclr,byol", "augmentation=digits",
        "backbone=small_cnn", "backbone.width=4", "method.hidden_dim=8", "loader.workers=0", "loader.batch_size=128",
        "trainer.steps=2", "trainer.checkpoint_steps=1", "monitor.every_epochs=0", "monitor.items=16",
    ]  # fmt: skip
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "sslrun", *command],
            stdout=output, stderr=subprocess.STDOUT, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip


def trials(folder: Path) -> list[optuna.trial.FrozenTrial]:
    """Of the study, by number."""
    record = read_record(folder)
    assert record is not None
    return optuna.load_study(study_name=record.study, storage=open_storage(record.storage)).get_trials()


@pytest.mark.recovery
def test_thirty_trials_killed_twice_are_thirty_finished_trials(tmp_path: Path) -> None:
    folder, log = tmp_path / "sweep", tmp_path / "log.txt"
    killed = []
    for reached in (8, 19):  # killed in the middle of these trials
        sweeper = start(folder, log)
        deadline = time.monotonic() + 900
        while not (folder / str(reached) / "metrics.csv").exists():
            assert sweeper.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.002)
        sweeper.send_signal(signal.SIGKILL)
        assert sweeper.wait() == -signal.SIGKILL
        killed += [t for t in trials(folder) if t.state is optuna.trial.TrialState.RUNNING]
    assert [t.number for t in killed] == [8, 19]
    last = start(folder, log)
    assert last.wait(timeout=900) == 0, log.read_text()
    found = trials(folder)
    assert [t.number for t in found] == list(range(TRIALS))
    assert {t.state for t in found} == {optuna.trial.TrialState.COMPLETE}
    assert sorted(int(p.parent.name) for p in folder.glob("*/run.json")) == list(range(TRIALS))
    for trial in killed:  # taken up again, with their own parameters, in their own folder
        assert found[trial.number].params == trial.params
        manifest = json.loads((folder / str(trial.number) / "run.json").read_text())
        assert len(manifest["sessions"]) == 2 and manifest["status"] == "finished"
    assert len({t.params["optimizer.lr"] for t in found}) == TRIALS  # the seed did not begin again
    assert log.read_text().count("\ntrial ") == TRIALS
