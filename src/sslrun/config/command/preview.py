"""`sslrun preview`."""

from dataclasses import dataclass

from sslrun.config.command.base import command
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.node import limited


@command("preview")
@dataclass(kw_only=True)
class PreviewConfig(PretrainConfig):
    """`sslrun preview`: the first `count` training images and their views as one image."""

    count: int = limited(8, at_least=1, at_most=64)
