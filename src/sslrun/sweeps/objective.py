"""What a finished run scored, read from its folder: the same whoever launched it."""

import csv
import math
from collections.abc import Sequence
from pathlib import Path

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError, RunError
from sslrun.core.evaluations import EVALUATIONS
from sslrun.runs.results import MAIN, numbers_to_choose_by, read_rows

LOGGED = ("probe/", "health/", "train/", "held_out/")
"""Beginnings of names that are logged while a run trains."""


class NoSuchNumberError(RunError):
    """Runs do not have what a sweep is for: no trial will."""


def read_values(folder: Path, metrics: Sequence[str | None], *, command: str) -> list[float]:
    """The last logged value of each name, else its row of results.json, `evaluation/metric`, that is not of test.

    Raises:
        NoSuchNumberError: naming those that exist.
        RunError: a value that is not finite.
    """
    values = logged_values(folder)
    rows = {name: math.nan if value is None else value for name, value in numbers_to_choose_by(folder).items()}
    of_test = {f"{row['evaluation']}/{row['metric']}" for row in read_rows(folder)}
    found = []
    for metric in metrics:
        name = metric or "/".join(MAIN.get(command, ("no number",)))
        value = rows.get(name) if metric is None else values.get(name, rows.get(name))
        if value is None:
            names = [*values, *rows]
            if name in of_test:
                raise NoSuchNumberError(
                    f"hydra.sweeper.metric={name}: {folder} has it only for the test split, by which nothing may be "
                    f"chosen; it has {', '.join(sorted(set(names))) or 'nothing else'}"
                )
            raise NoSuchNumberError(
                f"hydra.sweeper.metric={name}: {folder} has no such number{did_you_mean(name, names)}; it has "
                f"{', '.join(sorted(set(names))) or 'none'}"
            )
        if not math.isfinite(value):
            raise RunError(f"{name} of {folder} is {value}")
        found.append(value)
    return found


def logged_values(folder: Path) -> dict[str, float]:
    """Last value of every name in metrics.csv."""
    try:
        with (folder / "metrics.csv").open(newline="") as file:
            return {row["name"]: float(row["value"]) for row in csv.DictReader(file) if row["value"]}
    except FileNotFoundError:
        return {}


def watched_metric(metric: str | None, *, command: str) -> str:
    """The logged name by which a pruner judges a run.

    Raises:
        ConfigError: the command logs no such thing while it works.
    """
    name = metric or "/".join(MAIN.get(command, ("its number",)))
    if command not in ("pretrain", "finetune"):
        raise ConfigError(f"hydra.sweeper.pruner: `sslrun {command}` does not train, so there is nothing to prune")
    evaluation, _, of_row = name.partition("/")
    logged = EVALUATIONS[evaluation].logged.get(of_row, name) if evaluation in EVALUATIONS else name
    if not logged.startswith(LOGGED):
        raise ConfigError(
            f"hydra.sweeper.metric={name} is known when a run has ended, and a pruner looks while it trains; name what "
            "is logged, such as probe/linear or health/rankme, or say hydra.sweeper.pruner=none"
        )
    return logged
