"""The sweep page: of a study, of several metrics, of a plain grid."""

import json
import re
from pathlib import Path

import optuna
import pytest
import yaml
from markupsafe import escape

from sslrun.commands.sweep import main
from sslrun.config.errors import RunError
from sslrun.config.sweeper import OptunaConfig
from sslrun.report.sweep import importance, points, render
from sslrun.runs.manifest import now
from sslrun.sweeps import study as studies
from sslrun.sweeps.record import SweepRecord
from sslrun.sweeps.space import parse_space
from sslrun.sweeps.trials import read_sweep


def make_study(folder: Path, *, trials: int, metrics: list[str] | None = None) -> optuna.Study:
    """A study in which only the learning rate matters; trial 1 is pruned, trial 2 failed."""
    names: list[str | None] = [*metrics] if metrics else [None]
    config = OptunaConfig(seed=0, metric=metrics, direction=["maximize"] * len(names) if metrics else "maximize")
    space = parse_space({}, ["optimizer.lr=interval(0.0,1.0)", "method=byol,simclr", "dataset=digits", "run.dir=x"])
    storage = str(folder / "study.journal")
    study = studies.open_study(config, name="s", storage=storage, salt="")
    SweepRecord(
        command="pretrain", overrides=space.fixed, metrics=names, directions=config.directions, study="s",
        storage=storage, sampler="tpe", pruner="none", n_trials=20, config_dirs=["/my conf"],
    ).write(folder, has_results=True)  # fmt: skip
    for number in range(trials):
        trial = studies.ask(study, space.distributions, sweep=folder)
        if number == 1 and not metrics:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        elif number == 2:
            trial.set_user_attr("error", "the loss is <nan> at step 3")
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        else:
            lr = trial.params["optimizer.lr"]
            study.tell(trial, [lr, 1 - lr] if metrics else lr)
    return study


def test_a_study_as_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(tmp_path, trials=12)
    main([str(tmp_path)])
    page = (tmp_path / "report.html").read_text()
    best = study.best_trial
    command = (
        "sslrun pretrain '--config-dir=/my conf' dataset=digits "
        f"optimizer.lr={best.params['optimizer.lr']} method={best.params['method']}"
    )
    assert f"<pre>{escape(command)}</pre>" in page and command in capsys.readouterr().out
    written = yaml.safe_load((tmp_path / "best.yaml").read_text())
    assert written["best"] == [
        {
            "number": best.number, "values": best.values, "params": best.params,
            "folder": str(tmp_path / str(best.number)), "command": command,
        }
    ]  # fmt: skip
    for part in ("Best", "History", "Importance of parameters", "Parameters together", "Parameters one by one"):
        assert f"<h2>{part}</h2>" in page
    assert "10 finished, 1 pruned, 1 failed" in page and "the loss is &lt;nan&gt; at step 3" in page
    assert page.count('<tr class="group"><th scope="row"') == 12
    assert "<script" not in page and "http://" not in re.sub(r'xmlns(:\w+)?="[^"]+"', "", page)


def test_the_parameter_that_matters_has_the_importance(tmp_path: Path) -> None:
    make_study(tmp_path, trials=20)
    shares, reason = importance(read_sweep(tmp_path), ["optimizer.lr", "method"])
    assert reason == "" and shares["linear/top1"]["optimizer.lr"] > 0.9


@pytest.mark.parametrize("trials", [0, 1, 4])
def test_few_trials_leave_out_what_cannot_be_said(tmp_path: Path, trials: int) -> None:
    make_study(tmp_path, trials=trials)
    page = render(read_sweep(tmp_path))
    if trials < 4:
        assert "<svg" not in page
    assert ("No trial has finished yet" in page) == (trials == 0)
    assert ("Importances need 4 finished trials" in page) == (trials > 1)


def test_several_metrics_show_what_is_not_beaten(tmp_path: Path) -> None:
    make_study(tmp_path, trials=6, metrics=["probe/linear", "health/rankme"])
    sweep = read_sweep(tmp_path)
    page = render(sweep)
    assert len(sweep.best) == 5 and "<h2>Trade-off</h2>" in page
    assert page.count("<figcaption>probe/linear: fANOVA") == page.count("<figcaption>health/rankme: fANOVA") == 1


def test_a_plain_grid_has_means_over_seeds(tmp_path: Path) -> None:
    values = {("byol", 1): 0.8, ("byol", 2): 0.9, ("simclr", 1): 0.5, ("simclr", 2): 0.5}
    for number, ((method, seed), value) in enumerate(values.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        argv = [
            "sslrun",
            "pretrain",
            "--config-dir=/c",
            "--debug",
            f"method={method}",
            f"seed={seed}",
            "dataset=digits",
            f"run.dir={folder}",
        ]
        manifest = {"status": "finished", "command": "pretrain", "seconds": 1.0, "argv": argv}
        (folder / "run.json").write_text(json.dumps(manifest))
        row = {"evaluation": "linear", "metric": "top1", "value": value}
        (folder / "results.json").write_text(json.dumps({"rows": [row]}))
    sweep = read_sweep(tmp_path)
    byol, simclr = points(sweep)
    assert byol.params == {"method": "byol"} and byol.seeds == ["1", "2"]
    assert byol.mean == pytest.approx(0.85)
    assert byol.low == pytest.approx(0.85 - 12.706 * 0.05, abs=1e-3)  # t of 1 degree of freedom; standard error 0.05
    assert (simclr.mean, simclr.low, simclr.high) == (0.5, 0.5, 0.5)
    assert sweep.command_of(sweep.best[0]) == "sslrun pretrain --config-dir=/c dataset=digits method=byol seed=2"
    page = render(sweep)
    assert "<h2>Configurations</h2>" in page and "0.85 [0.2147, 1.485], mean over 2 runs of method=byol" in page


def test_runs_of_a_grid_that_ended_before_they_began_are_on_the_page(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / str(number)).mkdir()
        arguments = ["pretrain", "method=byol", f"seed={number}", f"run.dir={tmp_path / str(number)}"]
        record = {"launcher": "process", "job": str(2**22), "task": None, "submitted": now(), "arguments": arguments}
        (tmp_path / str(number) / "job.json").write_text(json.dumps(record))
        (tmp_path / str(number) / "log.txt").write_text("sslrun: error: dataset.root=/x does not exist\n")
    manifest = {"status": "finished", "command": "pretrain", "argv": ["sslrun", *arguments], "seconds": 1.0}
    (tmp_path / "2" / "run.json").write_text(json.dumps(manifest))
    sweep = read_sweep(tmp_path)
    assert [(t.state, t.params) for t in sweep.trials] == [
        ("failed", {"seed": "0"}), ("failed", {"seed": "1"}), ("finished", {"seed": "2"}),
    ]  # fmt: skip
    assert "dataset.root=/x does not exist" in (sweep.trials[0].error or "")
    assert "1 finished without a linear/top1" in render(sweep)


def test_a_sweep_that_was_copied_is_shown(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    make_study(there, trials=3)
    there.rename(here)
    if not (here / "study.journal").exists():
        next(here.glob("*journal*")).rename(here / "study.journal")
    assert len(read_sweep(here).trials) == 3 and not there.exists()
    (here / "study.journal").unlink()
    with pytest.raises(RunError, match=r"its study is in .*, which does not exist here"):
        read_sweep(here)
    assert not there.exists()


def test_a_folder_without_a_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="holds no sweep"):
        read_sweep(tmp_path)
