"""The LightningModule: hooks once per optimizer step, a stop at NaN."""

import errno
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from sslrun.backbones.folder import build_encoder
from sslrun.config.backbone.small_cnn import SmallCNNConfig
from sslrun.config.compose import compose
from sslrun.config.errors import RunError, TrainingError
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import SGDConfig
from sslrun.config.schedule import ScheduleConfig
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

    def after_backward(self, progress: float) -> None:
        self.calls.append(f"after_backward {progress:.2f}")

    def after_step(self, progress: float) -> None:
        self.calls.append(f"after_step {progress:.2f}")


@pytest.fixture
def data() -> Data:
    return build_data(compose("pretrain").dataset)  # type: ignore[attr-defined]


def train(method: Method, data: Data, folder: Path, *, steps: int = 4, accumulate: int = 1) -> None:
    config = compose("pretrain", ["augmentation=digits"])
    dataset = data.training(config.augmentation, batch_type=ViewsBatch, seed=0)  # type: ignore[attr-defined]
    trainer = TrainerConfig(
        steps=steps, accumulate=accumulate, accelerator="cpu", devices=1, precision=Precision.fp32, log_steps=1
    )
    plan = make_plan(
        trainer, LoaderConfig(batch_size=32, workers=0), SGDConfig(lr=0.1), ScheduleConfig(), items=len(dataset)
    )
    metrics = MetricsFile(folder / "metrics.csv", steps_per_epoch=plan.steps_per_epoch, seconds_before=0.0)
    fit(
        method, data, dataset, plan, trainer_config=trainer, seed=0, checkpoints=folder, loggers=[metrics],
        callbacks=[], ranks=Ranks(folder, print),
    )  # fmt: skip


@pytest.mark.parametrize("accumulate", [1, 4])
def test_hooks_come_once_per_optimizer_step(data: Data, tmp_path: Path, accumulate: int) -> None:
    method = Recorder(data)
    train(method, data, tmp_path, steps=2, accumulate=accumulate)
    step = ["forward"] * accumulate
    assert method.calls == [
        *step, "after_backward 0.00", "after_step 0.00", *step, "after_backward 0.50", "after_step 0.50"
    ]  # fmt: skip


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
        file.write("4,2.0,0.1,train/lo")  # killed while it wrote
    metrics.rewind(2)
    rows = metrics.path.read_text().splitlines()
    assert rows[0] == "step,epoch,seconds,name,value"
    assert [(r.split(",")[0], r.split(",")[1], r.split(",")[4]) for r in rows[1:]] == [
        ("1", "0.5000", "0.1"), ("2", "1.0000", "0.2")
    ]  # fmt: skip
