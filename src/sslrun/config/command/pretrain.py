"""`sslrun pretrain`."""

from dataclasses import dataclass, field

from omegaconf import MISSING

from sslrun.config.command.base import command
from sslrun.config.command.recipe import RecipeConfig
from sslrun.config.loader import LoaderConfig
from sslrun.config.logger import LoggerConfig
from sslrun.config.monitor import MonitorConfig


@command("pretrain")
@dataclass(kw_only=True)
class PretrainConfig(RecipeConfig):
    """`sslrun pretrain`."""

    loader: LoaderConfig = field(default_factory=LoaderConfig)
    monitor: MonitorConfig = MISSING
    logger: LoggerConfig = MISSING
