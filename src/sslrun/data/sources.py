"""Datasets whose train, validation and test splits are parts of sources."""

from collections.abc import Mapping

import numpy as np

from sslrun.config.dataset.splits import SPLITS
from sslrun.config.schema import DatasetConfig
from sslrun.data.base import Data
from sslrun.data.labels import ClassesAndLabels, digest
from sslrun.data.splits import Part, split


class SourcesData(Data):
    """A dataset whose items are addressed by position in a source; `cut` makes the splits."""

    config: DatasetConfig
    _parts: dict[str, Part]
    _labels: dict[str, np.ndarray | None]

    def cut(self, sizes: Mapping[str, int], coded: ClassesAndLabels) -> None:
        """Set classes and labels, and assign the items of all sources to splits.

        Args:
            sizes: items of `train`, and of `validation` and `test` if the dataset has them.
            coded: classes and the labels of each source.

        Raises:
            DataError: too few items to split.
        """
        self.classes, self._labels = coded
        self._parts = split(
            dict(sizes),
            self._labels,
            validation=self.config.validation,
            test_share=self.config.test_share,
            seed=self.config.split_seed,
            limit=self.config.limit,
        )

    def labels(self, split: str) -> np.ndarray | None:
        part = self._parts[split]
        known = self._labels[part.source]
        return None if known is None else known[part.positions]

    def size(self, split: str) -> int:
        return len(self._parts[split])

    def cut_digest(self) -> str:
        parts = [self._parts[name] for name in SPLITS]
        return digest(*(value for part in parts for value in (part.source, part.positions)))
