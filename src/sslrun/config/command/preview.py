"""`sslrun preview`."""

from dataclasses import dataclass

from sslrun.config.checks import check_range
from sslrun.config.command.base import command
from sslrun.config.command.pretrain import PretrainConfig


@command("preview")
@dataclass(kw_only=True)
class PreviewConfig(PretrainConfig):
    """`sslrun preview`: the first `count` training images and their views as one picture."""

    count: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("count", self.count, at_least=1, at_most=64)
