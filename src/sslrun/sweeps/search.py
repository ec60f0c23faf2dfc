"""What an Optuna sweep is given: its settings, its space, its folder, and how a job is launched."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.utils import JobReturn

from sslrun.config.sweeper import OptunaConfig
from sslrun.sweeps.space import Space

Launch = Callable[[Sequence[str], int], JobReturn]
"""Run one job: its overrides and its number; the run folder is `<sweep>/<number>`."""


@dataclass(frozen=True, kw_only=True)
class Search:
    """A sweep that `sweeps.run` carries to its end.

    Attributes:
        folder: of the sweep, absolute.
        config_dirs: given by --config-dir, absolute.
        launcher: as `hydra/launcher` names it; `basic` runs jobs in this process, one after the other.
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
