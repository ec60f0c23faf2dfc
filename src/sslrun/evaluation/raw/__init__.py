"""Baselines that learn nothing, one module for each modality; `Data.raw` names the module, its `BASELINE` the class.

A baseline is a module of torch with `reads`, whose features are probed as an encoder's are, or a `Fitted` one, whose
features lie in no dense table.
"""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from torch import nn

from sslrun.data.base import Data
from sslrun.evaluation.few_labels import Budget
from sslrun.evaluation.table import ProbeResult


@runtime_checkable
class Fitted(Protocol):
    """A baseline with classifiers of its own."""

    def probe(self, data: Data, *, encoder: str, seed: int, budgets: Sequence[Budget], draws: int) -> ProbeResult:
        """All rows that an encoder gets, as far as they make sense."""
        ...


def raw_baseline(name: str) -> nn.Module | Fitted:
    """The baseline of a modality, by the name that its datasets give."""
    built: Any = importlib.import_module(f"sslrun.evaluation.raw.{name}").BASELINE()
    assert isinstance(built, nn.Module | Fitted)
    return built
