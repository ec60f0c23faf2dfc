"""`sslrun finetune`."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from omegaconf import MISSING

from sslrun.config.checks import check_budget
from sslrun.config.command.base import CommandConfig, command
from sslrun.config.loader import LoaderConfig
from sslrun.config.logger import LoggerConfig
from sslrun.config.node import limited
from sslrun.config.optimizer import OptimizerConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.schema import AugmentationConfig, BackboneConfig, DatasetConfig
from sslrun.config.trainer import TrainerConfig


class HeadStart(Enum):
    """Initial weights of a fine-tuned classifier."""

    random = "random"
    regression = "regression"


@command("finetune")
@dataclass(kw_only=True)
class FinetuneConfig(CommandConfig):
    """`sslrun finetune`.

    Attributes:
        encoder: as for probe; `random` is training from scratch, `timm:NAME` starts from supervised weights.
        augmentation: null takes the modality's default: `weak` for images, `audio_weak` or `audio_wave` for audio,
            `none` otherwise.
        labels: `all`, a number per class (for transcripts, in total), or a fraction below 1.
        min_steps: minimum optimizer steps, where few labels make `trainer.epochs` shorter.
        layer_decay: factor on the learning rate per block below the head; 1 switches it off.
        label_smoothing: of the cross-entropy.
        output_ms: for transcripts, milliseconds per output: the encoder's time steps within it are averaged.
        head: `random`, or the weights of a logistic `regression` on the frozen features (arXiv:2202.10054).
        patience: checks without a better validation top-1 (for transcripts, character error rate) after which training
            stops; a check comes every epoch, or every 20 steps if an epoch is shorter. Null never stops early.
    """

    renamed: ClassVar[dict[str, str]] = {"patience_epochs": "patience"}

    encoder: str = MISSING
    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    augmentation: AugmentationConfig | None = None
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    logger: LoggerConfig = MISSING
    labels: Any = "all"
    min_steps: int = limited(400, at_least=1)
    layer_decay: float = limited(1.0, above=0, at_most=1)
    label_smoothing: float = limited(0.0, at_least=0, below=1)
    output_ms: float = limited(40.0, above=0)
    head: HeadStart = HeadStart.random
    patience: int | None = limited(None, at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_budget(self.labels)
