"""Interface of the evaluations of frozen encoders."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from sslrun.config.command.probe import ProbeConfig
from sslrun.config.dataset.splits import SPLITS
from sslrun.config.loader import LoaderConfig
from sslrun.config.trainer import Precision
from sslrun.core.rows import Row, RowKey
from sslrun.data.base import Data
from sslrun.evaluation.batches import batches_of
from sslrun.evaluation.features import Features, extract
from sslrun.evaluation.raw import ClassifierBaseline, FeatureBaseline
from sslrun.training.plan import loader_workers

Splits = dict[str, Features]


@dataclass
class FrozenEncoder:
    """An encoder or baseline to evaluate.

    Attributes:
        name: name in tables.
        encoder: a module with `reads`, or a baseline that is not a module.
        data: with the encoder's own preprocessing.
        device: as torch names it.
    """

    name: str
    encoder: nn.Module | FeatureBaseline | ClassifierBaseline
    data: Data
    loader: LoaderConfig
    device: str
    precision: Precision

    @cached_property
    def features(self) -> Splits | None:
        """Features of every split, computed once; None for a baseline without features."""
        if isinstance(self.encoder, nn.Module):
            return {split: self._extract(self.encoder, split) for split in SPLITS}
        if isinstance(self.encoder, FeatureBaseline):
            return {split: self.encoder.features(self.data, split) for split in SPLITS}
        return None

    def _extract(self, encoder: nn.Module, split: str) -> Features:
        batches = batches_of(
            self.data,
            self.data.evaluation(split),
            device=self.device,
            precision=self.precision,
            batch_size=self.loader.batch_size,
            workers=loader_workers(self.loader, devices=1),
        )
        return extract(encoder.to(self.device).to(memory_format=torch.channels_last), batches)


@dataclass
class Measurement:
    """Result of one evaluation of one encoder.

    Attributes:
        rows: test results.
        chosen: hyperparameters selected on validation, and their validation score.
        notes: one line for everything that was omitted or raised.
    """

    rows: list[Row] = field(default_factory=list)
    chosen: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Probe(ABC):
    """One evaluation of frozen encoders on one dataset."""

    def __init__(self, data: Data, config: ProbeConfig) -> None:
        self.data, self.config = data, config

    def key(self, encoder: str) -> RowKey:
        """Key of an encoder's test rows."""
        return RowKey(encoder=encoder, dataset=self.data.name, seed=self.config.seed)

    @staticmethod
    @abstractmethod
    def fits(data: Data) -> bool:
        """Whether the dataset has what the evaluation needs; DataError if only some splits have it."""

    @staticmethod
    def remedy(data: Data) -> str | None:
        """How a user could make a dataset fit; None if they cannot."""
        return None

    @abstractmethod
    def measure(self, frozen: FrozenEncoder) -> Measurement:
        """Result for one encoder; empty if the evaluation does not apply to it."""

    def references(self) -> list[Row]:
        """Rows of baselines that need no encoder."""
        return []

    def write_figure_data(self, frozen: FrozenEncoder, folder: Path) -> None:  # noqa: B027 - most write nothing
        """Write the data of the report's figures for the requested encoder; called after `measure`."""
