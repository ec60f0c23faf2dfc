"""results.json, and the main metric of each command."""

import json
from pathlib import Path
from typing import Any

from sslrun.runs.manifest import manifest_or_empty

MAIN = {
    "pretrain": ("linear", "top1"),
    "probe": ("linear", "top1"),
    "finetune": ("finetune", "top1"),
    "zeroshot": ("zeroshot", "top1"),
}
"""Evaluation and metric that a sweep optimises by default, on validation."""


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of results.json; empty before the run has finished."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    except FileNotFoundError:
        return []
    return rows


def main_value(folder: Path, command: str) -> float | None:
    """The command's main metric for model selection; in older folders from the first row of its kind; else None."""
    evaluation, metric = MAIN.get(command, ("", ""))
    known, name = selection_values(folder), f"{evaluation}/{metric}"
    rows = (r["value"] for r in read_rows(folder) if (r["evaluation"], r["metric"]) == (evaluation, metric))
    return known[name] if name in known else next(rows, None)


def selection_values(folder: Path) -> dict[str, float | None]:
    """Values of a finished run for model selection, never on test, by `evaluation/metric`: from run.json and rows.

    The first row of a kind is the encoder's; baselines follow.
    """
    found: dict[str, float | None] = dict(manifest_or_empty(folder).get("selection", {}))
    for row in read_rows(folder):
        if row.get("split") != "test":
            found.setdefault(f"{row['evaluation']}/{row['metric']}", row["value"])
    return found
