"""`sslrun anomalies`."""

from dataclasses import dataclass

from sslrun.config.command.base import FrozenConfig, command
from sslrun.config.dataset.splits import SPLITS
from sslrun.config.node import limited
from sslrun.config.schema import BackboneConfig, DatasetConfig


@command("anomalies")
@dataclass(kw_only=True)
class AnomaliesConfig(FrozenConfig):
    """`sslrun anomalies`.

    Attributes:
        encoder: a run of a method that reconstructs series, or a checkpoint of it.
        backbone: ignored; exists for datasets that name one. The run's is used.
        dataset: null takes the run's.
        split: split to score: `test`, `validation` or `train`.
        baselines: rows for comparison: `random`, the untrained network; `deviation`, distance from the training mean.
        batch_size: windows per batch.
    """

    backbone: BackboneConfig | None = None
    dataset: DatasetConfig | None = None
    split: str = limited("test", one_of=SPLITS)
    baselines: list[str] = limited(["random", "deviation"], one_of=("random", "deviation"))
    batch_size: int = limited(64, at_least=1)
