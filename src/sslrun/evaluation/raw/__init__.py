"""Baselines that learn nothing, one module for each modality; `Data.raw` names the module, its `BASELINE` the class.

A baseline is a torch module with `reads`, which takes an encoder's place; or it computes features without a device; or
it classifies by itself, if its features form no dense table.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from sslrun.core.rows import Labels, RowKey
from sslrun.data.base import Data
from sslrun.evaluation.features import Features
from sslrun.evaluation.table import ProbeResult


@runtime_checkable
class Computed(Protocol):
    """A baseline with features of its own."""

    def features(self, data: Data, split: str) -> Features:
        """Features of every item of a split that can be read."""
        ...


@runtime_checkable
class Fitted(Protocol):
    """A baseline with classifiers of its own."""

    def probe(self, data: Data, *, key: RowKey, budgets: Sequence[Labels], draws: int) -> ProbeResult:
        """All rows that an encoder gets, as far as they make sense for it."""
        ...


def raw_baseline(name: str) -> nn.Module | Computed | Fitted:
    """The baseline of a modality, by the name that its datasets use."""
    built: Any = importlib.import_module(f"sslrun.evaluation.raw.{name}").BASELINE()
    assert isinstance(built, nn.Module | Computed | Fitted)
    return built
