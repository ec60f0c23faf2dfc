"""Configuration of the data loader."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sslrun.config.checks import check_auto_or_int
from sslrun.config.node import Node, limited


@dataclass(kw_only=True)
class LoaderConfig(Node):
    """Data loading.

    Attributes:
        batch_size: global batch size: samples per optimizer step, over all devices and micro-batches.
        workers: loader processes per device; `auto` depends on the number of cores.
    """

    section: ClassVar[str] = "loader"

    batch_size: int = limited(256, at_least=2)
    workers: Any = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_auto_or_int("loader.workers", self.workers, at_least=0)
