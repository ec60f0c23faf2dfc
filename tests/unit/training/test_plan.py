"""What a configuration comes to."""

import pytest
import yaml

from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import SGDConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.trainer import Precision, TrainerConfig, parse_max_time
from sslrun.runs.length import Length
from sslrun.training.plan import Plan, describe_plan, make_plan, with_length


def plan(
    *,
    items: int = 1000,
    batch_size: int = 100,
    total_steps: int | None = None,
    syncs_batch_norm: bool | None = None,
    **trainer: object,
) -> Plan:
    settings = TrainerConfig(**({"epochs": 10, "accelerator": "cpu"} | trainer))  # type: ignore[arg-type]
    return make_plan(
        settings,
        LoaderConfig(batch_size=batch_size, workers=0),
        SGDConfig(lr=0.1),
        ScheduleConfig(),
        items=items,
        total_steps=total_steps,
        syncs_batch_norm=syncs_batch_norm,
    )


def test_steps_from_epochs_and_steps_win() -> None:
    assert plan().total_steps == 100
    assert plan(epochs=0.5).total_steps == 5
    assert plan(steps=7).total_steps == 7
    assert plan(total_steps=33).total_steps == 33


def test_the_batch_is_global() -> None:
    resolved = plan(devices=2, accumulate=5)
    assert (resolved.micro_batch, resolved.batch_size, resolved.lr) == (10, 100, pytest.approx(0.1 * 100 / 256))


def test_a_batch_that_does_not_divide() -> None:
    with pytest.raises(ConfigError, match=r"loader.batch_size=100 does not divide by 3 devices .* multiple of 3"):
        plan(devices=3)


def test_a_batch_larger_than_the_dataset() -> None:
    with pytest.raises(ConfigError, match=r"loader.batch_size=100 is more than the 40 training items"):
        plan(items=40)


def test_what_needs_gpus_says_so() -> None:
    with pytest.raises(ConfigError, match=r"trainer.sync_batchnorm=true needs GPUs"):
        plan(sync_batchnorm=True)


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten GPUs, as far as a plan looks."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 10)
    monkeypatch.setattr("torch.cuda.get_device_capability", lambda: (8, 0))


@pytest.mark.usefixtures("gpus")
def test_fp16_does_not_go_with_sharded_weights() -> None:
    with pytest.raises(
        ConfigError, match=r"trainer.precision=fp16 does not go with trainer.strategy=fsdp; choose bf16"
    ):
        plan(precision=Precision.fp16, strategy="fsdp", accelerator="gpu")


@pytest.mark.usefixtures("gpus")
@pytest.mark.parametrize(
    ("said", "method", "expected", "line"),
    [
        (None, True, True, "over all 10 devices"),
        (None, False, False, "over each device's 10 items"),
        (None, None, None, None),  # nothing to synchronise
        (True, False, True, "over all 10 devices"),
        (False, True, False, "over each device's 10 items"),
    ],
)
def test_batch_norm_is_synchronised_as_asked_or_as_the_method_has_it(
    said: bool | None, method: bool | None, expected: bool | None, line: str | None
) -> None:
    resolved = plan(sync_batchnorm=said, syncs_batch_norm=method, accelerator="gpu")
    assert resolved.sync_batchnorm is expected
    assert describe_plan(resolved).get("BatchNorm") == line


@pytest.mark.usefixtures("gpus")
def test_one_device_or_sharded_ones_synchronise_nothing() -> None:
    assert plan(syncs_batch_norm=True, accelerator="gpu", devices=1).sync_batchnorm is None
    assert plan(syncs_batch_norm=True, accelerator="gpu", strategy="fsdp").sync_batchnorm is False
    with pytest.raises(ConfigError, match=r"sync_batchnorm=true has no effect with trainer.strategy=fsdp; choose"):
        plan(sync_batchnorm=True, accelerator="gpu", strategy="fsdp")


def test_ranks_on_the_cpu_have_their_own_batch_norm_and_say_so() -> None:
    resolved = plan(syncs_batch_norm=True, devices=2)
    assert describe_plan(resolved)["BatchNorm"] == "over each device's 50 items"
    assert "BatchNorm" not in describe_plan(plan(syncs_batch_norm=True))


def test_fused_is_off_where_lightning_refuses_it() -> None:
    assert plan(clip=1.0, precision=Precision.fp32).fused
    assert not plan(clip=1.0, precision=Precision.bf16).fused
    assert plan(precision=Precision.bf16).fused


def test_what_an_extension_does_to_the_schedules_is_said() -> None:
    planned = plan(epochs=20)
    steps = {
        how: describe_plan(with_length(planned, Length(200, [{"at": 60, "from": 100, "to": 200, "how": how}])))["steps"]
        for how in ("stretch", "restart")
    }
    assert steps["stretch"].endswith("; 100 before, schedules stretched from step 60 on")
    assert steps["restart"].endswith("; 100 before, schedules restarted from step 60 on")
    assert "before" not in describe_plan(planned)["steps"]


def test_max_time() -> None:
    assert parse_max_time("01:02:03:04") == 86400 + 2 * 3600 + 3 * 60 + 4
    assert parse_max_time("90") == 90
    assert parse_max_time(None) is None
    with pytest.raises(ConfigError, match=r"trainer.max_time must be DD:HH:MM:SS, got 2h"):
        TrainerConfig(steps=1, max_time="2h")
    with pytest.raises(ConfigError, match=r"trainer.max_time must be in \(0, inf\), got 0"):
        TrainerConfig(steps=1, max_time="00:00")


def test_days_that_yaml_took_for_sixty_hours_are_refused() -> None:
    given = yaml.safe_load("max_time: 2:12:30:00")["max_time"]
    message = f"trainer.max_time={given}: YAML reads '2:12:30:00' without quotes as this number; write .*, "
    with pytest.raises(ConfigError, match=message + "or '5:12:30:00' for that many seconds"):
        TrainerConfig(steps=1, max_time=str(given))
    assert parse_max_time(str(yaml.safe_load("59:00:00"))) == 59 * 3600  # no days: YAML's number is right


@pytest.mark.parametrize("asked", ["gpu", "cuda", "mps"])
def test_an_absent_accelerator_is_refused(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    with pytest.raises(ConfigError, match=rf"trainer.accelerator={asked}: none is visible here; choose auto or cpu"):
        plan(accelerator=asked)
    assert plan(accelerator="auto").accelerator == "cpu"


def test_fp16_on_the_cpu_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer.precision=fp16 needs a GPU"):
        plan(precision=Precision.fp16)
