"""Configurations of the time series datasets."""

from dataclasses import dataclass
from typing import ClassVar

from sslrun.config.checks import check_path_or_splits
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import DatasetConfig


@dataclass(kw_only=True)
class SeriesDatasetConfig(DatasetConfig):
    """Keys of all time series datasets.

    Attributes:
        max_length: maximum time steps of an item; null takes the longest item's.
        mean, std: per channel, for normalisation; null measures them on train.
    """

    gives: ClassVar[tuple[str, ...]] = ("series", "views")

    max_length: int | None = limited(None, at_least=4)
    mean: list[float] | None = None
    std: list[float] | None = limited(None, above=0)


@register(target="sslrun.data.series.files:SeriesFiles", paper="own series", modality="series")
@dataclass(kw_only=True)
class SeriesConfig(NamedSplitsConfig, SeriesDatasetConfig):
    """Time series in .ts (UCR/UEA), .csv, .parquet or .npy files.

    Attributes:
        path: a file, or a folder: with NAME_TRAIN.ts and NAME_TEST.ts, with train, val and test as files or folders,
            or with one recording per file.
        train, val, test: a file or folder per split, instead of `path`.
        time: column of timestamps in .csv and .parquet files; gaps become missing rows. Null: rows are consecutive.
        step: seconds (or units of a numeric column) between rows; null takes the median.
        columns: names of the channels; null takes all numeric columns.
        label: column of classes; a window has the class of most of its rows. Null: no labels, except in .ts files.
        anomaly: column of ground truth for `sslrun anomalies`, nonzero at anomalous rows; not a channel.
        window: rows per item, cut from longer recordings; null takes each recording as one item.
        stride: rows between the starts of consecutive windows; null takes `window`.
        borders: rows at which train, validation and test end in each recording; null cuts by `validation` and
            `test_share`.
        horizons: forecast horizons of `sslrun probe`, in rows; needs windows.
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
        check_path_or_splits(self.path, train=self.train, val=self.val, test=self.test)
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where the series are: dataset.path=/data/ArrowHead, or dataset.train=… "
                "and dataset.test=…"
            )
        if self.window is None and (self.stride or self.borders or self.horizons):
            raise ConfigError("dataset.stride, borders and horizons need windows; set dataset.window")
        borders = self.borders
        if borders is not None and (len(borders) != 3 or sorted(set(borders)) != list(borders) or borders[0] < 1):
            raise ConfigError(f"dataset.borders must be three increasing row numbers, got {list(borders)}")


@register(target="sslrun.data.series.waves:Waves", paper="synthetic", modality="series")
@dataclass(kw_only=True)
class WavesConfig(SeriesDatasetConfig):
    """Synthetic: five waveforms in three channels with noise, unequal lengths and missing values; always available.

    Attributes:
        items: number in all splits together.
        noise: standard deviation, for waves between -1 and 1.
        missing: share of values that are missing.
    """

    kind: str = "waves"
    items: int = limited(1500, at_least=50)
    noise: float = limited(0.5, at_least=0)
    missing: float = limited(0.02, at_least=0, below=0.5)
