"""How batches are made."""

from dataclasses import dataclass
from typing import Any

from sslrun.config.checks import check_range
from sslrun.config.errors import ConfigError


@dataclass(kw_only=True)
class LoaderConfig:
    """How batches are made.

    Attributes:
        batch_size: samples of one optimizer step, over all devices and micro-batches.
        workers: processes per device; `auto` follows the cores.
    """

    batch_size: int = 256
    workers: Any = "auto"

    def __post_init__(self) -> None:
        check_range("loader.batch_size", self.batch_size, at_least=2)
        if self.workers != "auto":
            if isinstance(self.workers, bool) or not isinstance(self.workers, int):
                raise ConfigError(f"loader.workers must be 'auto' or a whole number, got {self.workers!r}")
            check_range("loader.workers", self.workers, at_least=0)
