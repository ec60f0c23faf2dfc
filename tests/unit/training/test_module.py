"""The LightningModule: hooks once per optimizer step, a stop at NaN."""

import errno
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as pl
import torch

from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.compose import compose
from sslrun.config.errors import RunError, TrainingError
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import LrScaling, SGDConfig
from sslrun.config.schedule import ScheduleConfig, ScheduleShape
from sslrun.config.trainer import Precision, TrainerConfig
from sslrun.core.batch import ViewsBatch
from sslrun.data.base import Data
from sslrun.data.build import build_data
from sslrun.methods.base import Method, StepOutput
from sslrun.training.fit import fit
from sslrun.training.loggers import MetricsFile
from sslrun.training.module import Training
from sslrun.training.plan import make_plan
from sslrun.training.ranks import Ranks


class Recorder(Method):
    """Notes every hook, and the learning rate that the optimizer step will use."""

    batch_type = ViewsBatch
    views = 2

    def __init__(self, data: Data, *, loss: float = 1.0) -> None:
        super().__init__(None, build_encoder(SmallCNNConfig(name="small_cnn", width=4), data.encoder_inputs()))
        self.scale, self.calls = loss, []

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        self.calls.append("forward")
        h = self.encoder(batch["views"][0])
        return StepOutput(h.square().mean() * self.scale, embedding=h.detach())

    def before_step(self, progress: float) -> None:
        self.calls.append(f"before_step {progress:.2f}")

    def after_backward(self, progress: float) -> None:
        self.calls.append(f"after_backward {progress:.2f}")

    def after_step(self, progress: float) -> None:
        self.calls.append(f"after_step {progress:.2f}")


@pytest.fixture
def data() -> Data:
    return build_data(compose("pretrain").dataset)  # type: ignore[attr-defined]


def train(
    method: Method,
    data: Data,
    folder: Path,
    *,
    steps: int = 4,
    accumulate: int = 1,
    clip: float | None = None,
    optimizer: SGDConfig | None = None,
    schedule: ScheduleConfig | None = None,
    callbacks: Sequence[pl.Callback] = (),
) -> None:
    config = compose("pretrain", ["augmentation=digits"])
    dataset = data.training(config.augmentation, batch_type=ViewsBatch, seed=0)  # type: ignore[attr-defined]
    trainer = TrainerConfig(
        steps=steps, accumulate=accumulate, clip=clip, accelerator="cpu", devices=1, precision=Precision.fp32,
        log_steps=1,
    )  # fmt: skip
    optimizer, schedule = optimizer or SGDConfig(lr=0.1), schedule or ScheduleConfig()
    plan = make_plan(trainer, LoaderConfig(batch_size=32, workers=0), optimizer, schedule, items=len(dataset))
    metrics = MetricsFile(folder / "metrics.csv", steps_per_epoch=plan.steps_per_epoch, seconds_before=0.0)
    fit(
        method, data, dataset, plan, trainer_config=trainer, seed=0, checkpoints=folder, loggers=[metrics],
        callbacks=list(callbacks), ranks=Ranks(folder, print),
    )  # fmt: skip


@pytest.mark.parametrize("accumulate", [1, 4])
def test_hooks_come_once_per_optimizer_step(data: Data, tmp_path: Path, accumulate: int) -> None:
    method = Recorder(data)
    train(method, data, tmp_path, steps=2, accumulate=accumulate)
    assert method.calls == [
        *["before_step 0.00", "forward"] * accumulate, "after_backward 0.00", "after_step 0.00",
        *["before_step 0.50", "forward"] * accumulate, "after_backward 0.50", "after_step 0.50",
    ]  # fmt: skip


class Steps(pl.Callback):
    """Notes the first group's rate and decay that each optimizer step takes.

    Args:
        start_options: what all groups have when training starts, as those of a checkpoint.
    """

    def __init__(self, **start_options: float) -> None:
        self.start_options, self.rates, self.decays = start_options, [], []

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for group in trainer.optimizers[0].param_groups:
            group.update(self.start_options)

    def on_before_zero_grad(self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: Any) -> None:
        self.rates.append(optimizer.param_groups[0]["lr"])
        self.decays.append(optimizer.param_groups[0]["weight_decay"])


def test_each_step_takes_the_rate_and_decay_of_its_schedules(data: Data, tmp_path: Path) -> None:
    """Warm-up over two of four steps, then a line from 1 to 0.5; the decay follows a cosine from 0.1 to 0.4."""
    steps = Steps()
    optimizer = SGDConfig(lr=0.1, scaling=LrScaling.none, weight_decay=0.1, weight_decay_end=0.4)
    schedule = ScheduleConfig(shape=ScheduleShape.linear, warmup_epochs=1, warmup_share=0.5, end=0.5)
    train(Recorder(data), data, tmp_path, steps=4, optimizer=optimizer, schedule=schedule, callbacks=[steps])
    assert steps.rates == pytest.approx([0.05, 0.1, 0.1, 0.075])
    assert steps.decays == pytest.approx([0.25 - 0.15 * math.cos(math.pi * step / 4) for step in range(4)])


def test_the_configuration_counts_and_not_the_options_of_a_checkpoint(data: Data, tmp_path: Path) -> None:
    steps = Steps(weight_decay=9.0)
    train(Recorder(data), data, tmp_path, steps=1, optimizer=SGDConfig(lr=0.1, weight_decay=0.1), callbacks=[steps])
    assert steps.decays == [0.1]


def test_gradients_are_clipped_to_the_norm_that_is_asked_for(data: Data, tmp_path: Path) -> None:
    method = Recorder(data, loss=100.0)
    before = [p.detach().clone() for p in method.parameters()]
    optimizer = SGDConfig(lr=1.0, scaling=LrScaling.none, momentum=0.0, weight_decay=0.0)
    train(method, data, tmp_path, steps=1, clip=1e-3, optimizer=optimizer)
    changes = [(p.detach() - b).square().sum() for p, b in zip(method.parameters(), before, strict=True)]
    assert math.sqrt(sum(changes)) == pytest.approx(1e-3, rel=0.01)


@pytest.mark.parametrize(("decay_all", "decays"), [(False, [0.1, 0.0]), (True, [0.1, 0.1])])
def test_biases_and_norms_decay_where_the_optimizer_says_so(data: Data, decay_all: bool, decays: list[float]) -> None:
    config = SGDConfig(lr=0.1, weight_decay=0.1, decay_all=decay_all)
    trainer = TrainerConfig(steps=1, accelerator="cpu")
    plan = make_plan(trainer, LoaderConfig(batch_size=32, workers=0), config, ScheduleConfig(), items=64)
    optimizer = Training(Recorder(data), data.prepare(), plan).configure_optimizers()
    assert [group["weight_decay"] for group in optimizer.param_groups] == decays


def test_accumulated_gradients_are_those_of_the_whole_batch(data: Data, tmp_path: Path) -> None:
    weights = []
    for name, accumulate in (("one", 1), ("four", 4)):
        torch.manual_seed(0)
        method = Recorder(data)
        for module in list(method.modules()):
            for child, norm in module.named_children():
                if isinstance(norm, torch.nn.BatchNorm2d):  # its statistics are those of a micro-batch
                    setattr(module, child, torch.nn.Identity())
        (tmp_path / name).mkdir()
        train(method, data, tmp_path / name, steps=3, accumulate=accumulate)
        weights.append([p.detach().clone() for p in method.parameters()])
    for a, b in zip(*weights, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)


def test_a_loss_that_is_not_finite_stops_with_step_rate_and_norm(data: Data, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"the loss is nan at step 0 \(learning rate 0.0125, gradient norm nan\)"):
        train(Recorder(data, loss=float("nan")), data, tmp_path)
    assert not (tmp_path / "last.ckpt").exists()


class Spoiled(Recorder):
    """A finite loss whose gradient is not: the square root at 0, times 0."""

    def forward(self, batch: Mapping[str, Any]) -> StepOutput:
        h = self.encoder(batch["views"][0])
        return StepOutput(1 + (0 * h).square().sum().sqrt(), embedding=h.detach())


def test_weights_that_are_not_finite_are_never_saved(data: Data, tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"^weights are not finite after a loss of 1 at step 1 .*, gradient norm nan\)"
    ):
        train(Spoiled(data), data, tmp_path, steps=1)
    assert not (tmp_path / "last.ckpt").exists()


@pytest.mark.parametrize(
    ("number", "raised"), [(errno.EIO, OSError), (errno.ESTALE, OSError), (errno.ENOSPC, RunError)]
)
def test_a_failing_disk_ends_the_log_with_its_own_error(
    number: int, raised: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "open", refuse)
    metrics = MetricsFile(tmp_path / "metrics.csv", steps_per_epoch=2, seconds_before=0.0)
    with pytest.raises(raised, match=os.strerror(number)) as failed:
        metrics.log_metrics({"train/loss": 1.0}, 1)
    assert failed.value.__cause__ is not failed.value


def test_metrics_file_goes_back_to_the_checkpoint(tmp_path: Path) -> None:
    metrics = MetricsFile(tmp_path / "metrics.csv", steps_per_epoch=2, seconds_before=0.0)
    metrics.rewind(-1)
    for step in (1, 2, 3):
        metrics.log_metrics({"train/loss": step / 10}, step)
    with metrics.path.open("a") as file:
        file.write("1x,0.5,0.1,train/loss,1.0\n")  # garbled by a crash of the machine
        file.write("4,2.0,0.1,train/lo")  # killed while it wrote
    metrics.rewind(2)
    rows = metrics.path.read_text().splitlines()
    assert rows[0] == "step,epoch,seconds,name,value"
    assert [(r.split(",")[0], r.split(",")[1], r.split(",")[4]) for r in rows[1:]] == [
        ("1", "0.5000", "0.1"), ("2", "1.0000", "0.2")
    ]  # fmt: skip
