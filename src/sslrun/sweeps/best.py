"""best.yaml: the best trial, or the Pareto front of several metrics, with the commands to rerun them."""

from typing import Any

import yaml

from sslrun.core.atomic import write_text
from sslrun.sweeps.trials import Sweep, TrialRow


def write_best(sweep: Sweep) -> list[TrialRow]:
    """Write best.yaml into the sweep's folder; return its trials."""
    best = [_entry(sweep, trial) for trial in sweep.best]
    content = {"metric": sweep.metric_names, "direction": sweep.directions, "best": best}
    write_text(sweep.folder / "best.yaml", yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120))
    return sweep.best


def _entry(sweep: Sweep, trial: TrialRow) -> dict[str, Any]:
    return {
        "number": trial.number,
        "values": list(trial.values),
        "params": dict(trial.params),
        "folder": None if trial.folder is None else str(trial.folder),
        "command": sweep.command_of(trial),
    }
