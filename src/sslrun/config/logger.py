"""Configuration of the loggers."""

from dataclasses import dataclass, field
from enum import Enum


class WandbMode(Enum):
    """`offline` writes to the run folder and needs no network; `online` needs an API key."""

    offline = "offline"
    online = "online"


@dataclass(kw_only=True)
class LoggerConfig:
    """Loggers in addition to metrics.csv, which is always written."""

    tensorboard: bool = False
    wandb: WandbMode | None = None
    project: str = "sslrun"
    entity: str | None = None
    tags: list[str] = field(default_factory=list)
