"""Trials of a sweeper that is gone: taken over once, in their own folder, and never from one that may live."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import optuna
import pytest

from runfolders import age, held, make_run
from sslrun.runs.evidence import SILENT_SECONDS
from sslrun.sweeps import jobs
from sslrun.sweeps import study as studies
from sslrun.sweeps.arguments import folder_of
from sslrun.sweeps.owners import LOCK, left_running, sweep_lock, take_over
from sslrun.sweeps.run import run
from unit.sweeps.fakes import FakeLauncher, leave, search

HERE = os.uname().nodename


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def one(tmp_path: Path) -> Path:
    """A sweep of one finished trial and two that its sweeper left running when it was killed on this machine."""
    folder = tmp_path / "one"
    study = run(shared(folder, FakeLauncher(folder, lambda _, x: x), n_trials=1))
    for number in (1, 2):
        studies.ask(study, shared(folder, print).space.distributions, sweep=folder)
        leave(folder / str(number), status="running")
    (folder / LOCK).write_text(f"process {dead_pid()} on {HERE}")
    return folder


def shared(folder: Path, launch: object, **settings: object) -> object:
    """A search in a study that lies beside the sweeps' folders."""
    storage = {"study_name": "shared", "storage": str(folder.parent / "journal")}
    return search(folder, launch, **storage | settings)  # type: ignore[arg-type]


def study_of(one: Path) -> optuna.Study:
    return optuna.load_study(study_name="shared", storage=studies.open_storage(str(one.parent / "journal")))


def test_what_a_dead_sweeper_left_is_gone_on_with_in_its_folder(one: Path) -> None:
    two = one.parent / "two"
    before = study_of(one).get_trials()
    launch = FakeLauncher(two, lambda _, x: x)
    study = run(shared(two, launch, n_trials=4))
    assert launch.launched == [1, 2, 3]
    assert [t.state.name for t in study.get_trials()] == ["COMPLETE"] * 4
    assert [t.params for t in study.get_trials()[:3]] == [t.params for t in before]
    assert [folder_of(optuna.Trial(study, t._trial_id)).parent for t in study.get_trials()] == [one, one, one, two]
    assert sorted(p.parent.name for p in two.glob("*/run.json")) == ["3"]
    assert (one / LOCK).read_text().startswith("process ")  # who had it last is not forgotten


def test_a_job_that_ended_after_its_sweeper_is_only_read(one: Path) -> None:
    leave(one / "1", probe_linear=0.25)
    leave(one / "2", status="pruned")
    two = one.parent / "two"
    launch = FakeLauncher(two, lambda _, x: x)
    study = run(shared(two, launch, n_trials=3))
    assert launch.launched == [] and study.get_trials()[1].value == 0.25
    assert study.get_trials()[2].state.name == "PRUNED"


@pytest.mark.parametrize(
    ("signed", "silent_seconds", "taken"),
    [
        (f"process {os.getpid()} on {HERE}", 0, False),
        ("process 1 on elsewhere", 0, False),
        ("process 1 on elsewhere", SILENT_SECONDS - 60, False),
        ("process 1 on elsewhere", SILENT_SECONDS + 60, True),
    ],
    ids=["alive", "elsewhere", "elsewhere and silent for a while", "elsewhere and silent"],
)
def test_a_sweeper_that_may_live_keeps_its_trials(signed: str, silent_seconds: int, taken: bool, one: Path) -> None:
    (one / LOCK).write_text(signed)
    age(one, silent_seconds)
    with sweep_lock(one.parent / "two"):
        assert (take_over(study_of(one), sweep=one.parent / "two") is not None) is taken


def test_a_sweeper_that_is_seen_at_work_keeps_its_trials_however_silent(one: Path) -> None:
    two = one.parent / "two"
    with sweep_lock(two), sweep_lock(one):
        age(one, 2 * SILENT_SECONDS)
        assert take_over(study_of(one), sweep=two) is None
    (one / LOCK).unlink()  # as where its folder is not seen
    with sweep_lock(two):
        assert take_over(study_of(one), sweep=two) is None


def test_a_trial_is_taken_once_and_again_when_its_taker_is_gone(one: Path) -> None:
    two, three = one.parent / "two", one.parent / "three"
    study = study_of(one)
    with sweep_lock(three):
        with sweep_lock(two):
            assert [t.number for _ in "ab" if (t := take_over(study, sweep=two))] == [1, 2]
            assert take_over(study, sweep=three) is take_over(study, sweep=two) is None
        assert left_running(study, sweep=one) == []  # it may come back, and does something else
        (two / LOCK).write_text(f"process {dead_pid()} on {HERE}")
        again = take_over(study, sweep=three)
        assert again is not None and folder_of(again) == one / "1"
        assert [t.number for t in left_running(study, sweep=two)] == [2]


def test_a_living_job_of_another_sweep_is_waited_for_where_locks_do_not_reach(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "1", status="running", host="elsewhere")

    def wait(*, taken_over: bool) -> None:
        jobs.wait_for_holder(folder, taken_over=taken_over, stopping=lambda: True)

    wait(taken_over=False)
    with pytest.raises(KeyboardInterrupt):
        wait(taken_over=True)
    age(folder, SILENT_SECONDS + 60)
    wait(taken_over=True)
    with held(folder), pytest.raises(KeyboardInterrupt):
        wait(taken_over=False)


def test_a_sweeper_touches_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touched = threading.Event()
    monkeypatch.setattr("sslrun.sweeps.owners.TOUCH_SECONDS", 0.0)
    monkeypatch.setattr("sslrun.sweeps.owners.os.utime", lambda path: path == tmp_path / LOCK and touched.set())
    with sweep_lock(tmp_path):
        assert touched.wait(60)
