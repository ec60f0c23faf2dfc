"""`sslrun search`."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.trainer import Precision


@command("search")
@dataclass(kw_only=True)
class SearchConfig(FrozenConfig):
    """`sslrun search`.

    Attributes:
        encoder: as for zeroshot.
        images: a folder of images, nested or flat.
        text: the query.
        count: number of images shown.
    """

    images: str = MISSING
    text: str = MISSING
    count: int = limited(10, at_least=1)
    batch_size: int = limited(64, at_least=1)
    precision: Precision = Precision.auto

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.text.strip():
            raise ConfigError("text is empty; give a query: text='a dog in the snow'")
