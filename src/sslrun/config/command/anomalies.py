"""`sslrun anomalies`."""

from dataclasses import dataclass, field

from sslrun.config.checks import check_one_of, check_range
from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.errors import ConfigError
from sslrun.config.schema import BackboneConfig, DatasetConfig


@command("anomalies")
@dataclass(kw_only=True)
class AnomaliesConfig(FrozenConfig):
    """`sslrun anomalies`.

    Attributes:
        encoder: a run of a method that rebuilds series, or a checkpoint of it.
        backbone: of no use but for datasets that name one; the run's is taken.
        dataset: null takes the run's.
        split: what is scored: `test`, `validation` or `train`.
        baselines: rows beside it: `random`, the same net untrained; `deviation`, distance from train's mean.
        batch_size: windows at once.
    """

    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    split: str = "test"
    baselines: list[str] = field(default_factory=lambda: ["random", "deviation"])
    batch_size: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("batch_size", self.batch_size, at_least=1)
        check_one_of("split", self.split, ("train", "validation", "test"))
        for name in self.baselines:
            if name not in ("random", "deviation"):
                raise ConfigError(f"baselines: '{name}' is none of random, deviation")
