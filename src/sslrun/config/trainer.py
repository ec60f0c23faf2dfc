"""Configuration of the trainer: hardware, precision, length of a run, checkpoints."""

from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.checks import check_auto_or_int, check_range
from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited

ACCELERATORS = ("auto", "cpu", "cuda", "gpu", "mps")
"""All supported accelerators, whether present or not."""


class Precision(Enum):
    """Precision of training; `auto` is bf16-mixed if the hardware supports it natively."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


@dataclass(kw_only=True)
class TrainerConfig(Node):
    """Hardware, precision, length of the run, checkpoints.

    Attributes:
        epochs, steps: length of the run; `steps` (optimizer steps) wins if both are given.
        devices: processes on this node, or `auto`.
        accumulate: micro-batches per optimizer step; the global batch is divided among them.
        clip: maximum gradient norm; null does not clip.
        max_time: `'DD:HH:MM:SS'`, after which the run saves and stops; the same command continues it.
        compile: apply torch.compile to every encoder of the method; the first steps take minutes.
        sync_batchnorm: compute BatchNorm statistics over all devices, GPUs only; null: as in the method's paper.
        checkpoint_minutes, checkpoint_steps: interval between checkpoints; the shorter one wins.
        keep_checkpoints: number of newest checkpoints to keep, last.ckpt included, in case the last one is damaged.
    """

    section: ClassVar[str] = "trainer"

    epochs: float | None = limited(None, above=0)
    steps: int | None = limited(None, at_least=1)
    accelerator: str = limited("auto", one_of=ACCELERATORS)
    devices: Any = "auto"
    num_nodes: int = limited(1, at_least=1)
    strategy: str = limited("auto", one_of=("auto", "ddp", "fsdp"))
    precision: Precision = Precision.auto
    deterministic: bool = False
    channels_last: bool = True
    accumulate: int = limited(1, at_least=1)
    clip: float | None = limited(None, above=0)
    max_time: str | None = None
    compile: bool = False
    sync_batchnorm: bool | None = None
    checkpoint_minutes: float | None = limited(10.0, above=0)
    checkpoint_steps: int | None = limited(None, at_least=1)
    keep_checkpoints: int = limited(2, at_least=1)
    log_steps: int = limited(10, at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is None and self.steps is None:
            raise ConfigError("trainer.epochs and trainer.steps are both null; set one")
        parse_max_time(self.max_time)
        check_auto_or_int("trainer.devices", self.devices, at_least=1)


def parse_max_time(text: str | None) -> float | None:
    """`DD:HH:MM:SS` (or fewer parts, counted from the seconds) -> seconds.

    Raises:
        ConfigError: another format, a time of zero, or what may be an unquoted `D:HH:MM:00`.
    """
    if text is None:
        return None
    parts = str(text).split(":")
    if len(parts) > 4 or not all(p.isdigit() for p in parts):
        raise ConfigError(f"trainer.max_time must be DD:HH:MM:SS, got {text}")
    if len(parts) == 1:
        _refuse_unquoted(int(parts[0]))
    seconds = float(sum(int(p) * f for p, f in zip(reversed(parts), (1, 60, 3600, 86400), strict=False)))
    check_range("trainer.max_time", seconds, above=0)
    return seconds


def _refuse_unquoted(seconds: int) -> None:
    """Refuse what may be an unquoted `D:HH:MM:00`, which YAML reads as base 60, with 60 hours per day."""
    if seconds < 60**3 or seconds % 60:
        return
    hours, minute = divmod(seconds // 60, 60)
    as_time = f"'{hours // 60}:{hours % 60:02}:{minute:02}:00'"
    as_seconds = f"'{hours // 24}:{hours % 24:02}:{minute:02}:00'"
    raise ConfigError(
        f"trainer.max_time={seconds}: YAML reads {as_time} without quotes as this number; write {as_time} with quotes, "
        f"or {as_seconds} for that many seconds"
    )
