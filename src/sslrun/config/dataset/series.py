"""Configurations of the datasets of time series."""

from dataclasses import dataclass
from typing import ClassVar

from sslrun.config.checks import check_one_place
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import DatasetConfig


@dataclass(kw_only=True)
class SeriesDatasetConfig(DatasetConfig):
    """What all datasets of series share.

    Attributes:
        max_length: most timestamps that the encoder sees; null takes the longest item's.
        mean, std: of each channel, by which values are normalised; null measures them on train.
    """

    gives: ClassVar[tuple[str, ...]] = ("series", "views")

    max_length: int | None = limited(None, at_least=4)
    mean: list[float] | None = None
    std: list[float] | None = limited(None, above=0)


@register(target="sslrun.data.series.files:SeriesFiles", paper="own series", modality="series")
@dataclass(kw_only=True)
class SeriesConfig(NamedSplitsConfig, SeriesDatasetConfig):
    """Series out of .ts (UCR/UEA), .csv, .parquet or .npy files.

    Attributes:
        path: a file, or a folder: with NAME_TRAIN.ts and NAME_TEST.ts, with train, val and test as files or folders,
            or with one recording a file.
        train, val, test: instead of `path`: a file or folder each.
        time: column of time in .csv and .parquet files; gaps in it become missing rows. Null: rows follow each other.
        step: seconds (or units, of a column of numbers) between rows; null takes the median.
        columns: names of the channels; null takes all columns of numbers.
        label: column of classes; a window's class is the one that most of its rows have. Null: no labels, but .ts.
        anomaly: column that is not 0 where a row is an anomaly, which `sslrun anomalies` is scored by; not a channel.
        window: rows of an item that is cut out of a longer recording; null takes each recording as one item.
        stride: rows between the beginnings of two windows; null takes `window`.
        borders: rows at which train, validation and test end in each recording; null cuts by `validation` and
            `test_share`.
        horizons: rows ahead that `sslrun probe` forecasts, if there are windows.
    """

    kind: str = "series"
    path: str | None = None
    time: str | None = None
    step: float | None = limited(None, above=0)
    columns: list[str] | None = None
    label: str | None = None
    anomaly: str | None = None
    window: int | None = limited(None, at_least=4)
    stride: int | None = limited(None, at_least=1)
    borders: list[int] | None = None
    horizons: list[int] | None = limited(None, at_least=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_one_place(self.path, train=self.train, val=self.val, test=self.test)
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where the series are: dataset.path=/data/ArrowHead, or dataset.train=… "
                "and dataset.test=…"
            )
        if self.window is None and (self.stride or self.borders or self.horizons):
            raise ConfigError("dataset.stride, borders and horizons are of windows; set dataset.window")
        borders = self.borders
        if borders is not None and (len(borders) != 3 or sorted(set(borders)) != list(borders) or borders[0] < 1):
            raise ConfigError(f"dataset.borders must be three rising rows, got {list(borders)}")


@register(target="sslrun.data.series.waves:Waves", paper="synthetic", modality="series")
@dataclass(kw_only=True)
class WavesConfig(SeriesDatasetConfig):
    """Synthetic: five waveforms in three channels with noise, unequal lengths and missing values; always available.

    Attributes:
        items: of all splits together.
        noise: standard deviation, of waves between -1 and 1.
        missing: share of values that are missing.
    """

    kind: str = "waves"
    items: int = limited(1500, at_least=50)
    noise: float = limited(0.5, at_least=0)
    missing: float = limited(0.02, at_least=0, below=0.5)
