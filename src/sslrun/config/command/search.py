"""`sslrun search`."""

from dataclasses import dataclass

from omegaconf import MISSING

from sslrun.config.checks import check_range
from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.errors import ConfigError
from sslrun.config.trainer import Precision


@command("search")
@dataclass(kw_only=True)
class SearchConfig(FrozenConfig):
    """`sslrun search`.

    Attributes:
        encoder: as for zeroshot.
        images: a folder of pictures, nested or flat.
        text: what is looked for.
        count: pictures shown.
    """

    images: str = MISSING
    text: str = MISSING
    count: int = 10
    batch_size: int = 64
    precision: Precision = Precision.auto

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("count", self.count, at_least=1)
        check_range("batch_size", self.batch_size, at_least=1)
        if not self.text.strip():
            raise ConfigError("text is empty; say what is looked for: text='a dog in the snow'")
