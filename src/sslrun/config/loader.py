"""How batches are made."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sslrun.config.checks import check_auto_or_whole
from sslrun.config.node import Node, limited


@dataclass(kw_only=True)
class LoaderConfig(Node):
    """How batches are made.

    Attributes:
        batch_size: samples of one optimizer step, over all devices and micro-batches.
        workers: processes per device; `auto` follows the cores.
    """

    place: ClassVar[str] = "loader"

    batch_size: int = limited(256, at_least=2)
    workers: Any = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_auto_or_whole("loader.workers", self.workers, at_least=0)
