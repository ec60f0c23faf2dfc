"""Where a run lives."""

from dataclasses import dataclass
from enum import Enum

from omegaconf import MISSING

# by call, because `continue` is a keyword of Python
OnChange = Enum("OnChange", {"refuse": "refuse", "continue": "continue"})
"""What happens where the run folder holds another configuration."""


@dataclass(kw_only=True)
class TrialConfig:
    """Which trial of a study a run is; a sweeper sets it where the study prunes.

    Attributes:
        storage: as of `hydra.sweeper.storage`, absolute.
        metric: the logged name by which the run is judged.
    """

    study: str = MISSING
    storage: str = MISSING
    number: int = MISSING
    metric: str = MISSING


@dataclass(kw_only=True)
class RunConfig:
    """Where a run lives; `dir` null makes `runs/<command>/<name>/<time>`.

    Attributes:
        trial: null outside a study.
    """

    dir: str | None = None
    on_change: OnChange = OnChange.refuse
    trial: TrialConfig | None = None
