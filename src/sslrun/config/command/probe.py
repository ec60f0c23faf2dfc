"""`sslrun probe`."""

from dataclasses import dataclass, field
from typing import Any

from sslrun.config.checks import check_budget
from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.node import limited
from sslrun.config.schema import BackboneConfig, DatasetConfig
from sslrun.config.trainer import Precision


@command("probe")
@dataclass(kw_only=True)
class ProbeConfig(FrozenConfig):
    """`sslrun probe`.

    Attributes:
        encoder: a run folder, an encoder folder, a checkpoint, `random`, `pixels`, or `timm:NAME`.
        backbone, dataset: null takes those of the run.
        baselines: rows for comparison; `random` is the untrained architecture, `raw` the modality's features without a
            network: pixels of images, TF-IDF of text.
        labels: label budgets of the few-label curve: numbers per class, fractions below 1, `all`.
        draws: subsets sampled per budget.
    """

    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    loader: LoaderConfig = field(default_factory=LoaderConfig)
    precision: Precision = Precision.auto
    baselines: list[str] = field(default_factory=lambda: ["random", "raw"])
    labels: list[Any] = field(default_factory=lambda: [1, 5, 10, 50, 0.01, 0.1, "all"])
    draws: int = limited(5, at_least=2)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in self.baselines:
            if name not in ("random", "raw", "pixels") and not name.startswith("timm:"):
                raise ConfigError(f"baselines: '{name}' is not one of random, raw, pixels, timm:NAME")
        for budget in self.labels:
            check_budget(budget)
