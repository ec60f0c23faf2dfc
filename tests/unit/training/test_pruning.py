"""What a run reports to its trial, and when it ends."""

from types import SimpleNamespace
from typing import Any

import optuna
import pytest

from sslrun.training.pruning import Pruned, Pruning, TrialLogger


class Thresholds(optuna.pruners.BasePruner):
    """Prunes below 0.5, and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[int | None] = []

    def prune(self, study: optuna.Study, trial: optuna.trial.FrozenTrial) -> bool:
        self.asked.append(trial.last_step)
        return trial.intermediate_values[trial.last_step or 0] < 0.5


@pytest.fixture
def trial() -> optuna.Trial:
    return optuna.create_study(direction="maximize", pruner=Thresholds()).ask()


def test_only_the_named_metric_is_reported_and_each_step_once(trial: optuna.Trial) -> None:
    logger = TrialLogger(trial, "probe/linear")
    logger.log_metrics({"train/loss": 0.1}, step=1)
    logger.log_metrics({"probe/linear": 0.7, "health/rankme": 3.0}, step=4)
    logger.log_metrics({"probe/linear": 0.8}, step=8)
    resumed = TrialLogger(optuna.Trial(trial.study, trial._trial_id), "probe/linear")  # from a checkpoint at step 4
    resumed.log_metrics({"probe/linear": 0.8}, step=8)  # no warning of a step that stands already
    resumed.log_metrics({"probe/linear": 0.9}, step=12)
    assert trial.study.get_trials()[0].intermediate_values == {4: 0.7, 8: 0.8, 12: 0.9}
    assert resumed.verdict is None


def test_the_verdict_is_carried_out_at_the_next_step_boundary(trial: optuna.Trial) -> None:
    logger = TrialLogger(trial, "probe/linear")
    callback, trainer = Pruning(logger), ranks(1)
    callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    logger.log_metrics({"probe/linear": 0.4}, step=5)
    assert logger.verdict == "probe/linear 0.4 at step 5 is behind other trials"
    callback.on_train_batch_end(trainer, None, None, None, 1)  # type: ignore[arg-type]  # a micro-batch of step 5
    trainer.global_step = 6
    with pytest.raises(Pruned, match="at step 5"):
        callback.on_train_batch_end(trainer, None, None, None, 2)  # type: ignore[arg-type]


def test_ranks_agree_every_ten_steps(trial: optuna.Trial) -> None:
    callback, trainer = Pruning(None), ranks(2, others=True)
    for trainer.global_step in range(1, 10):
        callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]
    trainer.global_step = 10
    with pytest.raises(Pruned):
        callback.on_train_batch_end(trainer, None, None, None, 0)  # type: ignore[arg-type]


def test_a_storage_that_fails_does_not_end_the_training(trial: optuna.Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise optuna.exceptions.StorageInternalError("connection lost")

    logger = TrialLogger(trial, "probe/linear")
    monkeypatch.setattr(trial.storage, "set_trial_intermediate_value", away)
    with pytest.warns(UserWarning, match="could not be reported: connection lost"):
        logger.log_metrics({"probe/linear": 0.1}, step=1)
    assert logger.verdict is None


def ranks(world: int, *, others: bool = False) -> Any:
    """A trainer at step 5; `others` is what other ranks want."""
    strategy = SimpleNamespace(reduce_boolean_decision=lambda mine, all: mine or others)
    return SimpleNamespace(global_step=5, world_size=world, strategy=strategy)
