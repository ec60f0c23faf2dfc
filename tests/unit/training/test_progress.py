"""Throughput and the wait for data, by a clock that the test moves."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import SGDConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.trainer import TrainerConfig
from sslrun.data import loader as loading
from sslrun.data.loader import ItemLoader
from sslrun.methods.base import Method, StepOutput
from sslrun.training import progress as showing
from sslrun.training.module import Training
from sslrun.training.plan import make_plan
from sslrun.training.progress import ClockRestart, Progress


class Clock:
    """Seconds that pass where a test says so."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(showing, "time", clock)
    monkeypatch.setattr(loading, "time", clock)
    return clock


def module() -> Training:
    config = TrainerConfig(steps=4, accelerator="cpu", devices=1, log_steps=2)
    plan = make_plan(config, LoaderConfig(batch_size=32, workers=0), SGDConfig(lr=0.1), ScheduleConfig(), items=64)
    encoder = build_encoder(SmallCNNConfig(name="small_cnn", width=4), {"channels": 1, "image_size": 8})
    method = Method(None, encoder)
    made = Training(method, torch.nn.Identity(), plan)
    made.latest = StepOutput(torch.tensor(1.0), embedding=torch.zeros(32, 4))
    return made


def test_monitors_are_neither_training_nor_a_wait_for_data(clock: Clock) -> None:
    logged: list[dict[str, float]] = []
    logger = SimpleNamespace(log_metrics=lambda metrics, step: logged.append(metrics))
    trainer: Any = SimpleNamespace(
        global_step=0, is_global_zero=True, train_dataloader=SimpleNamespace(waited_seconds=7.0), loggers=[logger],
        optimizers=[SimpleNamespace(param_groups=[{"lr": 0.1}])],
    )  # fmt: skip
    progress, trained = Progress(), module()
    last = ClockRestart(progress)
    progress.on_train_start(trainer, trained)
    for step in (1, 2, 3, 4):
        clock.sleep(1.0)
        trainer.train_dataloader.waited_seconds += 1.0
        clock.sleep(3.0)  # the step itself
        trainer.global_step = step
        progress.on_train_batch_end(trainer, trained, None, None, step - 1)
        clock.sleep(100.0)  # a monitor
        last.on_train_batch_end(trainer, trained, None, None, step - 1)
    assert [numbers["train/items_per_second"] for numbers in logged] == [2 * 32 / 8, 2 * 32 / 8]
    assert [numbers["train/data_wait"] for numbers in logged] == [0.25, 0.25]


def test_the_loader_tells_how_long_it_was_waited_for(clock: Clock) -> None:
    class Slow(torch.utils.data.Dataset[dict[str, Any]]):
        def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
            clock.sleep(0.5)
            return {"index": key[1]}

    data: Any = SimpleNamespace(collate=lambda items: {"index": [item["index"] for item in items]})
    items: Any = Slow()
    loader = ItemLoader(data, items, [[(0, 0), (0, 1)], [(0, 2), (0, 3)]], workers=0)
    for _ in loader:
        clock.sleep(10.0)  # training
    assert loader.waited_seconds == 2.0


def test_a_line_of_its_own_stands_above_the_bar(
    clock: Clock, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = Progress()
    progress.write_line("something happened")
    assert capsys.readouterr().err == "something happened\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    trainer: Any = SimpleNamespace(
        global_step=0, is_global_zero=True, train_dataloader=SimpleNamespace(waited_seconds=0.0)
    )
    progress.on_train_start(trainer, module())
    progress.write_line("and again")
    progress.on_train_end(trainer, module())
    assert "\rand again\n" in capsys.readouterr().err.replace("\x1b[A", "")
