"""What a configuration comes to."""

import pytest

from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.optimizer import SGDConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.trainer import Precision, TrainerConfig, parse_max_time
from sslrun.runs.length import Length
from sslrun.training.plan import Plan, describe_plan, make_plan, with_length


def plan(*, items: int = 1000, batch_size: int = 100, total_steps: int | None = None, **trainer: object) -> Plan:
    settings = TrainerConfig(**({"epochs": 10, "accelerator": "cpu"} | trainer))  # type: ignore[arg-type]
    loader = LoaderConfig(batch_size=batch_size, workers=0)
    return make_plan(settings, loader, SGDConfig(lr=0.1), ScheduleConfig(), items=items, total_steps=total_steps)


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
    assert steps["restart"].endswith("; 100 before, schedules anew from step 60 on")
    assert "before" not in describe_plan(planned)["steps"]


def test_max_time() -> None:
    assert parse_max_time("01:02:03:04") == 86400 + 2 * 3600 + 3 * 60 + 4
    assert parse_max_time("90") == 90
    assert parse_max_time(None) is None
    with pytest.raises(ConfigError, match=r"trainer.max_time must be DD:HH:MM:SS, got 2h"):
        TrainerConfig(steps=1, max_time="2h")
    with pytest.raises(ConfigError, match=r"trainer.max_time must be in \(0, inf\), got 0"):
        TrainerConfig(steps=1, max_time="00:00")
