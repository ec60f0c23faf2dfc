"""The loop: continued where it was left, exact in number, whatever a job does."""

import fcntl
import os
import threading
from pathlib import Path

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from optuna.trial import TrialState

from runfolders import held
from sslrun.config.errors import ConfigError, RunError
from sslrun.config.sweeper import PrunerName
from sslrun.sweeps import study as studies
from sslrun.sweeps.objective import watched_metric
from sslrun.sweeps.run import run
from unit.sweeps.fakes import FakeLauncher, leave, search


def states(study: optuna.Study) -> list[str]:
    return [t.state.name for t in study.get_trials()]


def test_a_study_has_n_trials_and_a_second_session_adds_only_what_is_missing(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    study = run(search(tmp_path, launch))
    assert launch.launched == list(range(6)) and states(study) == ["COMPLETE"] * 6
    assert study.best_value == max(t.params["x"] for t in study.get_trials())
    more = run(search(tmp_path, launch, n_trials=8))
    assert launch.launched == list(range(8)) and states(more) == ["COMPLETE"] * 8
    assert len({t.params["x"] for t in more.get_trials()}) == 8  # the seed does not propose the same points again


def test_a_job_gets_its_parameters_and_what_is_fixed(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    study = run(search(tmp_path, launch, n_trials=1))
    assert launch.overrides == [["trainer.steps=2", f"x={study.get_trials()[0].params['x']}"]]


def test_a_trial_left_running_is_launched_again_with_the_same_parameters(tmp_path: Path) -> None:

    def cut(number: int, x: float) -> float:
        if number == 2:
            os._exit(9)
        return x

    child = os.fork()
    if child == 0:
        run(search(tmp_path, FakeLauncher(tmp_path, cut)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    left = optuna.load_study(study_name=tmp_path.name, storage=studies.open_storage(str(tmp_path / "study.journal")))
    assert states(left) == ["COMPLETE", "COMPLETE", "RUNNING"]
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    study = run(search(tmp_path, launch))
    assert launch.launched == [2, 3, 4, 5] and states(study) == ["COMPLETE"] * 6
    assert study.get_trials()[2].params == left.get_trials()[2].params


def test_a_trial_that_had_no_parameters_yet_gets_them(tmp_path: Path) -> None:
    begun = search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x), n_trials=1)
    study = run(begun)
    studies.ask(study, {}, sweep=tmp_path)  # as if killed before the first parameter
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    again = run(search(tmp_path, launch, n_trials=2))
    assert launch.launched == [1] and states(again) == ["COMPLETE", "COMPLETE"]


def test_a_job_that_ended_after_its_sweeper_is_not_run_again(tmp_path: Path) -> None:
    study = run(search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x), n_trials=1))
    for number, status in ((1, "finished"), (2, "pruned")):
        studies.ask(study, search(tmp_path, print).space.distributions, sweep=tmp_path)  # type: ignore[arg-type]
        leave(tmp_path / str(number), status=status, probe_linear=0.25)
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    again = run(search(tmp_path, launch, n_trials=4))
    assert launch.launched == [3]
    assert states(again) == ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"]
    assert again.get_trials()[1].value == 0.25


def test_a_folder_that_a_living_job_holds_is_waited_for(tmp_path: Path) -> None:
    study = run(search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x), n_trials=1))
    studies.ask(study, search(tmp_path, print).space.distributions, sweep=tmp_path)  # type: ignore[arg-type]
    leave(tmp_path / "1", status="running")
    lock = (tmp_path / "1" / ".lock").open("a")
    fcntl.flock(lock, fcntl.LOCK_EX)

    def end() -> None:
        leave(tmp_path / "1", probe_linear=0.5)
        lock.close()

    threading.Timer(0.5, end).start()
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    again = run(search(tmp_path, launch, n_trials=2))
    assert launch.launched == [] and again.get_trials()[1].value == 0.5


def test_trials_of_another_sweep_of_the_study_are_left_alone(tmp_path: Path) -> None:
    settings = {"study_name": "shared", "storage": str(tmp_path / "journal"), "n_trials": 3}
    one, two = tmp_path / "one", tmp_path / "two"
    study = run(search(one, FakeLauncher(one, lambda _, x: x), **settings | {"n_trials": 1}))
    studies.ask(study, search(one, print).space.distributions, sweep=one)  # type: ignore[arg-type]
    launch = FakeLauncher(two, lambda _, x: x)
    again = run(search(two, launch, **settings))
    assert launch.launched == [2] and states(again) == ["COMPLETE", "RUNNING", "COMPLETE"]


def test_a_job_that_was_killed_is_started_again_and_fails_the_third_time(tmp_path: Path) -> None:
    kills = {1: 2, 3: 3}

    def work(number: int, x: float) -> float | str:
        if kills.get(number):
            kills[number] -= 1
            return "running"  # it noted no end
        return x

    launch = FakeLauncher(tmp_path, work)
    study = run(search(tmp_path, launch, launcher="process", n_trials=4, max_failures=1))
    assert launch.launched == [0, 1, 1, 1, 2, 3, 3, 3, 4]
    assert states(study) == ["COMPLETE", "COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert launch.overrides[1] == launch.overrides[2] == launch.overrides[3]


def test_a_stop_does_not_wait_for_a_job_that_outlived_an_earlier_sweeper(tmp_path: Path) -> None:
    study = run(search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x), n_trials=1))
    studies.ask(study, search(tmp_path, print).space.distributions, sweep=tmp_path)  # type: ignore[arg-type]
    leave(tmp_path / "1", status="running")

    def stop(_number: int, _x: float) -> float:
        raise KeyboardInterrupt

    launch = FakeLauncher(tmp_path, stop)
    with held(tmp_path / "1"), pytest.raises(SystemExit) as ended:
        run(search(tmp_path, launch, launcher="process", n_jobs=2, n_trials=3))
    assert ended.value.code == 3 and launch.launched == [2]


def test_failed_trials_are_replaced_until_there_are_too_many(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda number, x: "failed" if number == 1 else x)
    study = run(search(tmp_path, launch, n_trials=3))
    assert states(study) == ["COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]
    assert study.get_trials()[1].user_attrs["error"] == "the loss is nan"
    bad = FakeLauncher(tmp_path / "b", lambda *_: "failed")
    with pytest.raises(RunError, match=r"3 trials failed, more than hydra.sweeper.max_failures=2; .*the loss is nan"):
        run(search(tmp_path / "b", bad, max_failures=2))
    assert bad.launched == [0, 1, 2]


def test_a_metric_that_no_run_has_is_told_with_those_that_exist(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    with pytest.raises(RunError, match=r"metric=probe/lineal: .* did you mean 'probe/linear'\?; it has health/rankme"):
        run(search(tmp_path, launch, metric="probe/lineal"))
    assert launch.launched == [0]
    study = run(search(tmp_path, launch, metric="probe/linear", n_trials=2))  # what was trained is not lost
    assert launch.launched == [0, 1] and states(study) == ["COMPLETE"] * 2


def test_a_pruner_needs_a_name_that_is_logged_while_it_trains(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    with pytest.raises(ConfigError, match=r"^hydra.sweeper.metric=linear/macro_f1 is known only after a run"):
        run(search(tmp_path, launch, metric="linear/macro_f1", pruner=PrunerName.median))
    assert watched_metric("knn20/top1", command="pretrain") == "probe/knn20"


def test_a_sweep_whose_trials_were_stopped_says_that_it_is_not_done(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda number, x: "interrupted" if number == 0 else x)
    with pytest.raises(SystemExit) as ended:
        run(search(tmp_path, launch, n_trials=2))
    assert ended.value.code == 3 and launch.launched == [0, 1]


def test_a_second_sweeper_is_refused_with_who_holds_it(tmp_path: Path) -> None:
    def second(_: int, x: float) -> float:
        with pytest.raises(RunError, match=f"in use by process {os.getpid()} on "):
            run(search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x)))
        return x

    launch = FakeLauncher(tmp_path, second)
    run(search(tmp_path, launch, n_trials=1))
    assert launch.launched == [0]


def test_other_overrides_in_the_same_folder_are_refused(tmp_path: Path) -> None:
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    run(search(tmp_path, launch, n_trials=1))
    with pytest.raises(RunError, match="holds a sweep with metric"):
        run(search(tmp_path, launch, metric="health/rankme"))
    with pytest.raises(ConfigError, match=r"study .* has \['maximize'\]; choose another study_name"):
        run(search(tmp_path, launch, direction="minimize"))


@pytest.mark.parametrize("reason", [KeyboardInterrupt(), SystemExit(3)])
def test_a_stop_leaves_the_trial_and_exits_with_3(
    tmp_path: Path, reason: BaseException, capfd: pytest.CaptureFixture[str]
) -> None:
    def stop(number: int, x: float) -> float:
        if number == 1:
            raise reason
        return x

    with pytest.raises(SystemExit) as ended:
        run(search(tmp_path, FakeLauncher(tmp_path, stop)))
    assert ended.value.code == 3
    line = f"sweep stopped: 1 of 6 trials are finished; the same command with run.dir={tmp_path} continues it"
    assert line in capfd.readouterr().err
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    assert states(run(search(tmp_path, launch))) == ["COMPLETE"] * 6 and launch.launched == [1, 2, 3, 4, 5]


def test_jobs_outside_this_process_run_several_at_a_time_without_a_barrier(tmp_path: Path) -> None:
    slow, quick = threading.Event(), []

    def work(number: int, x: float) -> float:
        if number == 0:
            assert slow.wait(60)  # the first trial ends last: the others did not wait for it
        else:
            quick.append(number)
            if len(quick) == 5:
                slow.set()
        return x

    launch = FakeLauncher(tmp_path, work)
    study = run(search(tmp_path, launch, launcher="process", n_jobs=2))
    assert quick == [1, 2, 3, 4, 5] and states(study) == ["COMPLETE"] * 6


def test_several_metrics(tmp_path: Path) -> None:
    settings = {"metric": ["probe/linear", "health/rankme"], "direction": ["maximize", "maximize"], "n_trials": 4}
    study = run(search(tmp_path, FakeLauncher(tmp_path, lambda _, x: x), **settings))
    assert [t.values for t in study.get_trials()] == [
        pytest.approx([t.params["x"], 1 - t.params["x"]]) for t in study.get_trials()
    ]
    assert len(study.best_trials) == 4
    with pytest.raises(ConfigError, match="a search for several metrics cannot prune"):
        search(tmp_path, print, **settings, pruner=PrunerName.median)  # type: ignore[arg-type]


def test_a_pruned_run_counts_and_the_job_is_told_its_trial(tmp_path: Path) -> None:
    folder = tmp_path / "josé, d"
    launch = FakeLauncher(folder, lambda number, x: "pruned" if number == 1 else x)
    study = run(search(folder, launch, n_trials=3, pruner=PrunerName.median))
    assert states(study) == ["COMPLETE", "PRUNED", "COMPLETE"]
    told = OverridesParser.create().parse_override(launch.overrides[1][-1])
    assert told.key_or_group == "run.trial" and told.value() == {
        "study": folder.name, "storage": str(folder / "study.journal"), "metric": "probe/linear", "number": 1,
    }  # fmt: skip


def test_a_trial_beyond_n_is_withdrawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sweeper of the same study takes the last one between the count and the ask."""
    launch = FakeLauncher(tmp_path, lambda _, x: x)
    real = studies.ask

    def raced(study: optuna.Study, space: dict, *, sweep: Path) -> optuna.Trial:  # type: ignore[type-arg]
        if len(study.get_trials()) == 2:
            study.add_trial(optuna.trial.create_trial(state=TrialState.RUNNING, user_attrs={"sweep": "elsewhere"}))
        return real(study, space, sweep=sweep)

    monkeypatch.setattr(studies, "ask", raced)
    study = run(search(tmp_path, launch, n_trials=3))
    assert launch.launched == [0, 1] and states(study) == ["COMPLETE", "COMPLETE", "RUNNING", "FAIL"]
    assert study.get_trials()[3].user_attrs[studies.WITHDRAWN] is True
