"""Raw-input baselines, one module per modality: `Data.raw` names the module, whose `BASELINE` is the class.

A baseline is a torch module with `reads`, used like an encoder; or a `FeatureBaseline`; or a `ClassifierBaseline`, if
its features are sparse.
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
class FeatureBaseline(Protocol):
    """A baseline that computes features directly from a dataset."""

    def features(self, data: Data, split: str) -> Features:
        """Features of every readable item of a split."""
        ...


@runtime_checkable
class ClassifierBaseline(Protocol):
    """A baseline with its own classifiers."""

    def probe(self, data: Data, *, key: RowKey, budgets: Sequence[Labels], draws: int) -> ProbeResult:
        """The rows of an encoder that make sense for it."""
        ...


def raw_baseline(name: str) -> nn.Module | FeatureBaseline | ClassifierBaseline:
    """The baseline named by `Data.raw`."""
    baseline: Any = importlib.import_module(f"sslrun.evaluation.raw.{name}").BASELINE()
    assert isinstance(baseline, nn.Module | FeatureBaseline | ClassifierBaseline)
    return baseline
