"""Samplers, pruners and storages by name."""

import errno
import fcntl
import os
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution

from sslrun.config.errors import ConfigError, RunError
from sslrun.config.sweeper import OptunaConfig, PrunerName, SamplerName
from sslrun.sweeps import study as studies

SPACE = {"x": FloatDistribution(0.0, 1.0), "y": FloatDistribution(1e-3, 1.0, log=True)}


@pytest.mark.parametrize("name", list(SamplerName))
def test_every_sampler_proposes_by_its_seed(name: SamplerName, tmp_path: Path) -> None:
    def proposals(file: str, seed: int) -> list[dict[str, float]]:
        config = OptunaConfig(sampler=name, seed=seed)
        study = studies.open_study(config, name="s", storage=str(tmp_path / file), salt="")
        found = []
        for _ in range(3):
            trial = studies.ask(study, SPACE, sweep=tmp_path)
            found.append(trial.params)
            study.tell(trial, trial.params["x"])
        return found

    assert proposals("a", 1) == proposals("b", 1) != proposals("c", 2)
    assert len({p["x"] for p in proposals("d", 3)}) == 3


@pytest.mark.parametrize("name", list(PrunerName))
def test_a_job_builds_the_studys_pruner(name: PrunerName, tmp_path: Path) -> None:
    options = {PrunerName.median: {"n_startup_trials": 2}, PrunerName.halving: {"min_resource": 3}}.get(name, {})
    storage = str(tmp_path / "j")
    config = OptunaConfig(pruner=name, pruner_options=options)
    study = studies.open_study(config, name="s", storage=storage, salt="")
    trial = studies.ask(study, SPACE, sweep=tmp_path)
    mine = studies.load_trial(study="s", storage=storage, number=trial.number)
    assert mine.params == trial.params
    assert vars(mine.study.pruner) == vars(study.pruner) and type(mine.study.pruner) is studies.PRUNERS[name]


def test_an_option_that_does_not_exist_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"pruner_options.n_startup: MedianPruner has no .*'n_startup_trials'"):
        studies.make_pruner(PrunerName.median, {"n_startup": 3})
    with pytest.raises(ConfigError, match=r"sampler_options.multi_variate: .* did you mean 'multivariate'"):
        studies.make_sampler(SamplerName.tpe, {"multi_variate": True}, seed=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_trials": 0}, "hydra.sweeper.n_trials must be in"),
        ({"direction": "up"}, "hydra.sweeper.direction=up: no such choice"),
        ({"metric": ["a", "b"]}, "name one direction for each metric"),
        ({"storage": "postgresql://me:secret@host/db", "study_name": "s"}, "holds a password"),
        ({"storage": "postgresql://me@host/db"}, "study_name is not set"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message) as refused:
        OptunaConfig(**settings)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)


def test_a_database_that_is_not_there_is_one_line() -> None:
    with pytest.raises(RunError, match=r"storage=postgresql://me@localhost:1/db cannot be opened: .*refused"):
        studies.open_storage("postgresql://me@localhost:1/db")


def test_a_journal_that_a_crash_cut_short_is_mended(tmp_path: Path) -> None:
    journal = tmp_path / "j"
    study = studies.open_study(OptunaConfig(), name="s", storage=str(journal), salt="")
    studies.ask(study, SPACE, sweep=tmp_path)
    whole = journal.read_bytes()
    journal.write_bytes(whole + b'{"op_code":4,"worker')
    again = studies.open_study(OptunaConfig(), name="s", storage=str(journal), salt="")
    assert journal.read_bytes().startswith(whole)
    assert [t.params for t in again.get_trials()] == [t.params for t in study.get_trials()]
    assert studies.ask(again, SPACE, sweep=tmp_path).number == 1


def test_a_journal_on_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    journal = tmp_path / "j"
    study = studies.open_study(OptunaConfig(), name="s", storage=str(journal), salt="")
    assert studies.ask(study, SPACE, sweep=tmp_path).number == 0
    assert (tmp_path / "j").stat().st_size > 0 and not list(tmp_path.glob("*.open*"))  # given back each time
