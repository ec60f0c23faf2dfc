"""Where a run lives."""

from dataclasses import dataclass, field
from enum import Enum

# by call, because `continue` is a keyword of Python
OnChange = Enum("OnChange", {"refuse": "refuse", "continue": "continue", "fork": "fork"})
"""What happens if the run folder holds another configuration."""


class Extend(Enum):
    """What becomes of the schedules if a run is made longer than planned."""

    stretch = "stretch"
    """As if the run had been planned for the new length."""
    restart = "restart"
    """Anew over the added steps, warm-up included."""


@dataclass(kw_only=True)
class TrialConfig:
    """Which trial of a study a run is; a sweeper sets it if the study prunes.

    Attributes:
        study: null outside a study.
        storage: as of `hydra.sweeper.storage`, absolute.
        metric: the logged name by which the run is judged.
    """

    study: str | None = None
    storage: str = ""
    number: int = 0
    metric: str = ""


@dataclass(kw_only=True)
class RunConfig:
    """Where a run lives; `dir` null makes `runs/<command>/<name>/<time>`.

    Attributes:
        on_change: `fork` continues in `<dir>-fork1`, or a further number; the old folder stays as it is.
        extend: needed if `trainer.epochs` or `trainer.steps` differs from what the folder's run was planned for.
        trial: of a study; never null, because Hydra's command line cannot replace a null by a typed dict.
    """

    dir: str | None = None
    on_change: OnChange = OnChange.refuse
    extend: Extend | None = None
    trial: TrialConfig = field(default_factory=TrialConfig)
