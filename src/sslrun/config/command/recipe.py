"""What a pretraining is composed of."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.command.base import CommandConfig
from sslrun.config.optimizer import OptimizerConfig
from sslrun.config.schedule import ScheduleConfig
from sslrun.config.schema import AugmentationConfig, BackboneConfig, DatasetConfig, MethodConfig
from sslrun.config.trainer import TrainerConfig


@dataclass(kw_only=True)
class RecipeConfig(CommandConfig):
    """A command that composes a method with all that it brings."""

    method: MethodConfig = MISSING
    backbone: BackboneConfig = MISSING
    dataset: DatasetConfig = MISSING
    augmentation: AugmentationConfig = MISSING
    optimizer: OptimizerConfig = MISSING
    schedule: ScheduleConfig = MISSING
    trainer: TrainerConfig = MISSING
