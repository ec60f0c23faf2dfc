"""Bases of the group configurations, and the configurations that have one kind only."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError


@dataclass(kw_only=True)
class MethodConfig:
    """Base of every method's configuration."""

    kind: str = MISSING


@dataclass(kw_only=True)
class BackboneConfig:
    """Base of every backbone's configuration.

    Attributes:
        name: architecture, as its library names it.
        pretrained: null, `true` for the library's own weights, or a path: a weights file, an encoder folder, a run.
    """

    kind: str = MISSING
    name: str = MISSING
    pretrained: Any = None

    def __post_init__(self) -> None:
        if self.pretrained is not None and not isinstance(self.pretrained, bool | str):
            raise ConfigError(f"backbone.pretrained must be null, true or a path, got {self.pretrained!r}")


@dataclass(kw_only=True)
class DatasetConfig:
    """Base of every dataset's configuration."""

    kind: str = MISSING
    name: str = MISSING


@dataclass(kw_only=True)
class ViewConfig:
    """One kind of view.

    Attributes:
        count: how many views of this kind each image gives.
        size: side in pixels; null takes `dataset.image_size`; a fraction below 1 is that share of it (multi-crop).
        transforms: Albumentations transforms in order, each `Name` or `{Name: {argument: value}}`.
    """

    count: int = 1
    size: float | None = None
    transforms: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        check_range("augmentation.views.count", self.count, at_least=1)
        check_range("augmentation.views.size", self.size, above=0)


@dataclass(kw_only=True)
class AugmentationConfig:
    """A policy: the kinds of views in order, largest first."""

    name: str = MISSING
    views: list[ViewConfig] = MISSING

    def __post_init__(self) -> None:
        if not self.views:
            raise ConfigError("augmentation.views is empty; name at least one kind of view")


class LrScaling(Enum):
    """How the learning rate follows the global batch size B: none, lr x B/256, or lr x sqrt(B/256)."""

    none = "none"
    linear = "linear"
    sqrt = "sqrt"


@dataclass(kw_only=True)
class OptimizerConfig:
    """Base of every optimizer's configuration.

    Attributes:
        lr: base learning rate, before `scaling`.
        weight_decay: on weights of two and more dimensions; biases and norms have none.
        weight_decay_end: what it becomes by the end of the run, along a cosine; null keeps it.
    """

    kind: str = MISSING
    lr: float = MISSING
    weight_decay: float = 0.0
    weight_decay_end: float | None = None
    scaling: LrScaling = LrScaling.linear

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, above=0)
        check_range("optimizer.weight_decay", self.weight_decay, at_least=0)
        check_range("optimizer.weight_decay_end", self.weight_decay_end, at_least=0)


class ScheduleShape(Enum):
    """Course of the learning rate after the warm-up."""

    cosine = "cosine"
    constant = "constant"
    step = "step"


@dataclass(kw_only=True)
class ScheduleConfig:
    """Learning rate over a run: linear warm-up, then `shape`.

    Attributes:
        warmup_epochs: length of the warm-up in epochs; capped at a tenth of the run.
        start: learning rate of the first step, as a fraction of the full one.
        end: learning rate of the last step, as a fraction of the full one (cosine).
        milestones: fractions of the run at which the rate is multiplied by `gamma` (step).
    """

    shape: ScheduleShape = ScheduleShape.cosine
    warmup_epochs: float = 0.0
    start: float = 0.0
    end: float = 0.0
    milestones: list[float] = field(default_factory=lambda: [0.6, 0.8])
    gamma: float = 0.1

    def __post_init__(self) -> None:
        check_range("schedule.warmup_epochs", self.warmup_epochs, at_least=0)
        check_range("schedule.start", self.start, at_least=0, at_most=1)
        check_range("schedule.end", self.end, at_least=0, at_most=1)
        check_range("schedule.gamma", self.gamma, above=0, at_most=1)
        for milestone in self.milestones:
            check_range("schedule.milestones", milestone, above=0, below=1)


class Precision(Enum):
    """Arithmetic of training; `auto` is bf16-mixed where the hardware has it natively."""

    auto = "auto"
    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


@dataclass(kw_only=True)
class TrainerConfig:
    """How a model is trained, on what.

    Attributes:
        epochs, steps: length of the run; `steps` (optimizer steps) wins where both are given.
        devices: processes on this node, or `auto`.
        accumulate: micro-batches per optimizer step; the global batch is divided among them.
        clip: largest gradient norm; null does not clip.
        max_time: `DD:HH:MM:SS`, after which the run saves and stops; the same command continues it.
        compile: torch.compile of the encoder.
        sync_batchnorm: BatchNorm statistics over all devices; GPUs only.
        checkpoint_minutes, checkpoint_steps: the shorter interval between two checkpoints wins.
    """

    epochs: float | None = None
    steps: int | None = None
    accelerator: str = "auto"
    devices: Any = "auto"
    num_nodes: int = 1
    strategy: str = "auto"
    precision: Precision = Precision.auto
    deterministic: bool = False
    channels_last: bool = True
    accumulate: int = 1
    clip: float | None = None
    max_time: str | None = None
    compile: bool = False
    sync_batchnorm: bool = False
    checkpoint_minutes: float | None = 10.0
    checkpoint_steps: int | None = None
    log_steps: int = 10

    def __post_init__(self) -> None:
        if self.epochs is None and self.steps is None:
            raise ConfigError("trainer.epochs and trainer.steps are both null; set one")
        check_range("trainer.epochs", self.epochs, above=0)
        check_range("trainer.steps", self.steps, at_least=1)
        check_range("trainer.num_nodes", self.num_nodes, at_least=1)
        check_range("trainer.accumulate", self.accumulate, at_least=1)
        check_range("trainer.clip", self.clip, above=0)
        check_range("trainer.checkpoint_minutes", self.checkpoint_minutes, above=0)
        check_range("trainer.checkpoint_steps", self.checkpoint_steps, at_least=1)
        check_range("trainer.log_steps", self.log_steps, at_least=1)
        if self.devices != "auto":
            if isinstance(self.devices, bool) or not isinstance(self.devices, int):
                raise ConfigError(f"trainer.devices must be 'auto' or a whole number, got {self.devices!r}")
            check_range("trainer.devices", self.devices, at_least=1)


@dataclass(kw_only=True)
class LoaderConfig:
    """How batches are made.

    Attributes:
        batch_size: samples of one optimizer step, over all devices and micro-batches.
        workers: processes per device; `auto` follows the cores.
    """

    batch_size: int = 256
    workers: Any = "auto"

    def __post_init__(self) -> None:
        check_range("loader.batch_size", self.batch_size, at_least=2)
        if self.workers != "auto":
            if isinstance(self.workers, bool) or not isinstance(self.workers, int):
                raise ConfigError(f"loader.workers must be 'auto' or a whole number, got {self.workers!r}")
            check_range("loader.workers", self.workers, at_least=0)


class OnCollapse(Enum):
    """What the collapse alarm does."""

    warn = "warn"
    stop = "stop"


@dataclass(kw_only=True)
class MonitorConfig:
    """Checks on a fixed, unaugmented subset while a run trains.

    Attributes:
        every_epochs: epochs between two checks; 0 switches all of them off.
        items: images of the training bank, and at most as many of validation.
        collapse_std: alarm below this per-dimension std relative to 1/sqrt(D).
        collapse_rank: alarm below this RankMe.
        collapse_checks: consecutive checks below before the alarm.
    """

    every_epochs: float = 1.0
    items: int = 2048
    collapse_std: float = 0.05
    collapse_rank: float = 2.0
    collapse_checks: int = 3
    on_collapse: OnCollapse = OnCollapse.warn

    def __post_init__(self) -> None:
        check_range("monitor.every_epochs", self.every_epochs, at_least=0)
        check_range("monitor.items", self.items, at_least=8)
        check_range("monitor.collapse_checks", self.collapse_checks, at_least=1)


class WandbMode(Enum):
    """`offline` writes into the run folder and needs no network; `online` needs a key."""

    offline = "offline"
    online = "online"


@dataclass(kw_only=True)
class LoggerConfig:
    """Loggers beside metrics.csv, which is always written."""

    tensorboard: bool = False
    wandb: WandbMode | None = None
    project: str = "sslrun"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)


# by call, because `continue` is a keyword of Python
OnChange = Enum("OnChange", {"refuse": "refuse", "continue": "continue"})
"""What happens where the run folder holds another configuration."""


@dataclass(kw_only=True)
class RunConfig:
    """Where a run lives; `dir` null makes `runs/<command>/<name>/<time>`."""

    dir: str | None = None
    on_change: OnChange = OnChange.refuse
