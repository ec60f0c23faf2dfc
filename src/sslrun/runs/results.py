"""results.json, and the one number that a command stands for."""

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
"""Evaluation and metric of a command's main number: what a sweep optimises by default, on validation."""


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of results.json; none before the run has finished."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    except FileNotFoundError:
        return []
    return rows


def main_value(folder: Path, command: str) -> float | None:
    """The number of the command's kind that a run may be chosen by; of older folders its first row; else None."""
    evaluation, metric = MAIN.get(command, ("", ""))
    known, name = numbers_to_choose_by(folder), f"{evaluation}/{metric}"
    rows = (r["value"] for r in read_rows(folder) if (r["evaluation"], r["metric"]) == (evaluation, metric))
    return known[name] if name in known else next(rows, None)


def numbers_to_choose_by(folder: Path) -> dict[str, float | None]:
    """Numbers of a finished run that are not of test, as `evaluation/metric`: what run.json names, and rows.

    The first row of a kind is the encoder's own.
    """
    found: dict[str, float | None] = dict(manifest_or_empty(folder).get("selection", {}))
    for row in read_rows(folder):
        if row.get("split") != "test":
            found.setdefault(f"{row['evaluation']}/{row['metric']}", row["value"])
    return found
