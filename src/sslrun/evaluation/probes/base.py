"""What the evaluations of frozen encoders share: the encoder with its features, and the form of a result."""

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
from sslrun.evaluation.raw import Computed, Fitted
from sslrun.training.plan import loader_workers

Splits = dict[str, Features]


@dataclass
class Frozen:
    """An encoder, or a baseline in its place, to be measured.

    Attributes:
        name: its name in tables.
        encoder: a module with `reads`, or a baseline that needs none.
        data: as the encoder reads it.
        device: where it runs, as torch names it.
    """

    name: str
    encoder: nn.Module | Computed | Fitted
    data: Data
    loader: LoaderConfig
    device: str
    precision: Precision

    @cached_property
    def features(self) -> Splits | None:
        """Features of every split, each item through the encoder once; None for a baseline that has none."""
        if isinstance(self.encoder, nn.Module):
            return {split: self._extract(self.encoder, split) for split in SPLITS}
        if isinstance(self.encoder, Computed):
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
class Measured:
    """Result of one evaluation of one encoder.

    Attributes:
        rows: test numbers.
        chosen: what was chosen for them, and how well it did on validation.
        notes: one line for each thing that was omitted or raised.
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
        """Whether the dataset has what it needs; DataError if only some splits have it."""

    @staticmethod
    def remedy(data: Data) -> str | None:
        """What would make a dataset fit, if a user can do something about it."""
        return None

    @abstractmethod
    def measure(self, frozen: Frozen) -> Measured:
        """Result for one encoder; empty if the evaluation is not for such encoders."""

    def references(self) -> list[Row]:
        """Rows that need no encoder."""
        return []

    def draw(self, frozen: Frozen, folder: Path) -> None:  # noqa: B027 - most draw nothing
        """Write what the report draws of the requested encoder, after `measure`."""
