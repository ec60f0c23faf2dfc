"""The base of all series datasets: splits, normalisation, items."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from sslrun.config.dataset.series import SeriesDatasetConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.schema import AugmentationConfig
from sslrun.core.batch import SeriesBatch, ViewsBatch
from sslrun.data.base import Items
from sslrun.data.labels import code_labels, digest
from sslrun.data.series.augment import Policy
from sslrun.data.series.items import SeriesItems, collate
from sslrun.data.series.source import Source
from sslrun.data.sources import SourcesData


class SeriesData(SourcesData):
    """A dataset of series in memory, normalised per channel by mean and standard deviation over train.

    Args:
        config: of any kind of series dataset.
        sources: `train`, and `validation` and `test` if the dataset has them.

    Raises:
        DataError: too few items to split, a label that train does not have, or unequal numbers of channels.

    Attributes:
        horizons: forecast horizons of the forecasting probe, in rows.
    """

    config: SeriesDatasetConfig
    horizons: tuple[int, ...] = ()
    single, raw = SeriesBatch, "lags"

    def __init__(self, config: SeriesDatasetConfig, sources: Mapping[str, Source]) -> None:
        self.name, self.config, self.corrupt = config.name, config, []
        self._sources = dict(sources)
        coded = code_labels({name: source.values for name, source in sources.items()})
        self.cut({name: len(source) for name, source in sources.items()}, coded)
        read = {name: source.recordings.values for name, source in sources.items()}
        self.fingerprint = digest(*(f"{n}:{digest(*read[n], s.windows, self._labels[n])}" for n, s in sources.items()))
        self.channels = read["train"][0].shape[1]
        self.mean, self.std = self._mean_std()
        normalised = {id(values): self._normalised(values) for values in read.values()}  # splits may share them
        self._values = {name: normalised[id(values)] for name, values in read.items()}
        longest = max(int((s.windows[:, 2] - s.windows[:, 1]).max()) for s in sources.values())
        self.max_length = config.max_length or longest

    def training(self, augmentation: AugmentationConfig, *, batch_type: type, seed: int) -> SeriesItems:
        """All views of the policy for `ViewsBatch`, only the first for `SeriesBatch`."""
        policy = Policy(augmentation)
        return self._items("train", policy=policy, seed=seed, views=batch_type is ViewsBatch)

    def held_out(self, augmentation: AugmentationConfig, *, batch_type: type) -> Items | None:
        """Unaugmented validation items; the method draws any mask by position."""
        return self._items("validation") if batch_type is SeriesBatch else None

    def evaluation(self, split: str) -> SeriesItems:
        """Each series, truncated to `max_length`."""
        return self._items(split)

    def collate(self, items: list[Any]) -> dict[str, Any]:
        return collate(items)

    def prepare(self, *, channels_last: bool = True) -> nn.Module:
        return nn.Identity()  # values are already normalised

    def encoder_inputs(self) -> dict[str, Any]:
        return {
            "reads": "series",
            "channels": self.channels,
            "max_length": self.max_length,
            "mean": self.mean,
            "std": self.std,
            "classes": len(self.classes) if self.classes else None,
        }

    def describe(self) -> dict[str, str]:
        windows = self.windows("train")
        lengths = windows[:, 2] - windows[:, 1]
        span = f"{lengths.min()}" if lengths.min() == lengths.max() else f"{lengths.min()} to {lengths.max()}"
        lines = super().describe() | {"series": f"{span} timestamps in train, {self.channels} channel(s)"}
        if lengths.max() > self.max_length:
            lines["cut"] = f"{(lengths > self.max_length).mean():.0%} of train to dataset.max_length={self.max_length}"
        return lines

    def segments(self, split: str) -> list[tuple[int, np.ndarray, int, int]]:
        """Segments that cover each row of a split once: (recording number, its normalised values (T, C), first row,
        end row). They are the spans of a split, or the items of one that was drawn at random."""
        part = self._parts[split]
        source = self._sources[part.source]
        rows = source.spans if len(part) == len(source) else source.windows[part.positions]
        return [(i, self._values[part.source][i], a, b) for i, a, b in rows.tolist()]

    def windows(self, split: str) -> np.ndarray:
        """(N, 3) int64 items of a split: recording, first row, end row (exclusive)."""
        part = self._parts[split]
        return self._sources[part.source].windows[part.positions]

    def anomalies(self, split: str) -> list[np.ndarray] | None:
        """(T,) bool for each recording number in `segments`, or None."""
        return self._sources[self._parts[split].source].recordings.anomalies

    def recording_names(self, split: str) -> list[str]:
        """Names by recording number, as in `segments`."""
        return self._sources[self._parts[split].source].recordings.names

    def spans(self, split: str) -> list[tuple[np.ndarray, int, int]]:
        """The split's spans of long recordings: (normalised (T, C) recording, first row, end row).

        Only for splits with a source of their own, as those cut by time have.
        """
        return [(self._values[split][i], a, b) for i, a, b in self._sources[split].spans.tolist()]

    def _items(self, split: str, **options: Any) -> SeriesItems:
        return SeriesItems(
            self._values[self._parts[split].source],
            self.windows(split),
            self.labels(split),
            max_length=self.max_length,
            **options,
        )

    def _mean_std(self) -> tuple[list[float], list[float]]:
        config = self.config
        for key, given in (("mean", config.mean), ("std", config.std)):
            if given is not None and len(given) != self.channels:
                raise ConfigError(f"dataset.{key} has {len(given)} numbers; the series have {self.channels} channels")
        if config.mean is not None and config.std is not None:
            return list(config.mean), list(config.std)
        rows = self._train_rows()  # (R, C)
        if np.isnan(rows).all(axis=0).any():
            channel = int(np.isnan(rows).all(axis=0).argmax())
            raise DataError(f"dataset={config.name}: channel {channel} has no value in train; leave it out")
        mean, std = np.nanmean(rows, axis=0), np.nanstd(rows, axis=0)
        std = np.where(std > 1e-8, std, 1.0)  # a constant channel
        return list(config.mean or mean.tolist()), list(config.std or std.tolist())

    def _train_rows(self) -> np.ndarray:
        """(R, C) float64: the rows of train's items, each once even if windows overlap."""
        values = self._sources[self._parts["train"].source].recordings.values
        taken: dict[int, np.ndarray] = {}
        for recording, first, last in self.windows("train").tolist():
            taken.setdefault(recording, np.zeros(len(values[recording]), dtype=bool))[first:last] = True
        return np.concatenate([values[i][rows] for i, rows in taken.items()]).astype(np.float64)

    def _normalised(self, values: list[np.ndarray]) -> list[np.ndarray]:
        if values[0].shape[1] != self.channels:
            raise DataError(
                f"dataset={self.name}: train has {self.channels} channel(s), another split {values[0].shape[1]}"
            )
        mean, std = np.array(self.mean), np.array(self.std)
        return [((v - mean) / std).astype(np.float32) for v in values]
