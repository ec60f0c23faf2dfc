"""`sslrun pretrain`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sslrun.config.command.base import CommandConfig, command
from sslrun.config.loader import LoaderConfig
from sslrun.config.logger import LoggerConfig
from sslrun.config.monitor import MonitorConfig
from sslrun.config.optimizer import OptimizerConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.schema import AugmentationConfig, BackboneConfig, DatasetConfig, MethodConfig
from sslrun.config.trainer import TrainerConfig


@command("pretrain")
@dataclass(kw_only=True)
class PretrainConfig(CommandConfig):
    """`sslrun pretrain`."""

    method: MethodConfig = MISSING
    backbone: BackboneConfig = MISSING
    dataset: DatasetConfig = MISSING
    augmentation: AugmentationConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    monitor: MonitorConfig = MISSING
    logger: LoggerConfig = MISSING
