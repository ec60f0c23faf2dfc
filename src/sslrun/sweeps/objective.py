"""Objective values of a finished run, read from its folder, independent of the launcher."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError, RunError
from sslrun.core.evaluations import EVALUATIONS
from sslrun.runs.results import MAIN, read_rows, selection_values

LOGGED = ("probe/", "health/", "train/", "held_out/")
"""Prefixes of names that are logged during training."""


class NoSuchMetricError(RunError):
    """Runs do not have the sweep's metric, so no trial will."""


def read_values(folder: Path, metrics: Sequence[str | None], *, command: str) -> list[float]:
    """The last logged value of each name, else its row `evaluation/metric` in results.json, never on test.

    Raises:
        NoSuchMetricError: lists the existing ones.
        RunError: a value that is not finite.
    """
    values = logged_values(folder)
    rows = {name: math.nan if value is None else value for name, value in selection_values(folder).items()}
    of_test = {f"{row['evaluation']}/{row['metric']}" for row in read_rows(folder)}
    found = []
    for metric in metrics:
        name = metric or "/".join(MAIN.get(command, ("no number",)))
        value = rows.get(name) if metric is None else values.get(name, rows.get(name))
        if value is None:
            names = [*values, *rows]
            if name in of_test:
                raise NoSuchMetricError(
                    f"hydra.sweeper.metric={name}: {folder} has it only on test, which must not be used for selection; "
                    f"it has {', '.join(sorted(set(names))) or 'nothing else'}"
                )
            raise NoSuchMetricError(
                f"hydra.sweeper.metric={name}: {folder} has no such metric{did_you_mean(name, names)}; it has "
                f"{', '.join(sorted(set(names))) or 'none'}"
            )
        if not math.isfinite(value):
            raise RunError(f"{name} of {folder} is {value}")
        found.append(value)
    return found


def logged_values(folder: Path) -> dict[str, float]:
    """Last value of each name in metrics.csv."""
    try:
        with (folder / "metrics.csv").open(newline="") as file:
            return {row["name"]: float(row["value"]) for row in csv.DictReader(file) if row["value"]}
    except FileNotFoundError:
        return {}


def watched_metric(metric: str | None, *, command: str) -> str:
    """Name of the logged metric for the pruner.

    Raises:
        ConfigError: the command does not log the metric during training.
    """
    name = metric or "/".join(MAIN.get(command, ("its number",)))
    if command not in ("pretrain", "finetune"):
        raise ConfigError(f"hydra.sweeper.pruner: `sslrun {command}` does not train, so there is nothing to prune")
    evaluation, _, of_row = name.partition("/")
    logged = EVALUATIONS[evaluation].logged.get(of_row, name) if evaluation in EVALUATIONS else name
    if not logged.startswith(LOGGED):
        raise ConfigError(
            f"hydra.sweeper.metric={name} is known only after a run, but pruners need a metric that is logged during "
            "training, such as probe/linear or health/rankme; or say hydra.sweeper.pruner=none"
        )
    return logged
