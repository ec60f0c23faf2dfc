"""Configuration of the run folder."""

from dataclasses import dataclass, field
from enum import Enum

# functional API, because `continue` is a Python keyword
OnChange = Enum("OnChange", {"refuse": "refuse", "continue": "continue", "fork": "fork"})
"""What to do if the run folder has another configuration."""


class Extend(Enum):
    """Schedules of a run that is extended beyond its planned length."""

    stretch = "stretch"
    """As if the run had been planned for the new length."""
    restart = "restart"
    """From the start over the added steps, warm-up included."""


@dataclass(kw_only=True)
class TrialConfig:
    """The trial of a study that this run is; set by the sweeper if the study prunes.

    Attributes:
        study: null outside a study.
        storage: as `hydra.sweeper.storage`, absolute.
        metric: name of the logged metric that the pruner uses.
    """

    study: str | None = None
    storage: str = ""
    number: int = 0
    metric: str = ""


@dataclass(kw_only=True)
class RunConfig:
    """The run folder; `dir` null means `runs/<command>/<name>/<time>`.

    Attributes:
        on_change: `fork` continues in `<dir>-fork1`, or the next free number, and leaves the old folder unchanged.
        extend: required if `trainer.epochs` or `trainer.steps` differs from the planned length of the folder's run.
        trial: of a study; never null, because Hydra's command line cannot replace null by a typed dict.
    """

    dir: str | None = None
    on_change: OnChange = OnChange.refuse
    extend: Extend | None = None
    trial: TrialConfig = field(default_factory=TrialConfig)
