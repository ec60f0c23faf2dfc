"""Inputs of an Optuna sweep: settings, search space, folder, and a function that launches jobs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn

from sslrun.config.sweeper import OptunaConfig
from sslrun.sweeps.space import Space

Launch = Callable[[Sequence[str], int], JobReturn]
"""Run one job, given its overrides and number; the run folder is `<sweep>/<number>`."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """Inputs of `sweeps.run`.

    Attributes:
        folder: of the sweep, absolute.
        config_dirs: from --config-dir, absolute.
        launcher: name of `hydra/launcher`; `basic` runs jobs sequentially in this process.
        show: writes the sweep's page.
    """

    config: OptunaConfig
    command: str
    space: Space
    folder: Path
    launcher: str
    launch: Launch
    show: Callable[[], None]
    config_dirs: Sequence[str] = ()
