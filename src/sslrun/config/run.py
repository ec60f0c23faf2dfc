"""Where a run lives."""

from dataclasses import dataclass
from enum import Enum

# by call, because `continue` is a keyword of Python
OnChange = Enum("OnChange", {"refuse": "refuse", "continue": "continue"})
"""What happens where the run folder holds another configuration."""


@dataclass(kw_only=True)
class RunConfig:
    """Where a run lives; `dir` null makes `runs/<command>/<name>/<time>`."""

    dir: str | None = None
    on_change: OnChange = OnChange.refuse
