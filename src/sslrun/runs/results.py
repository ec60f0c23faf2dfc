"""results.json, and the one number that a command stands for."""

import json
from pathlib import Path
from typing import Any

MAIN = {
    "pretrain": ("linear", "top1"),
    "probe": ("linear", "top1"),
    "finetune": ("finetune", "top1"),
    "zeroshot": ("zeroshot", "top1"),
}
"""Evaluation and metric of a command's main number: what a sweep optimises where nothing else is asked."""


def read_rows(folder: Path) -> list[dict[str, Any]]:
    """Rows of results.json; none before the run has finished."""
    try:
        rows: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())["rows"]
    except FileNotFoundError:
        return []
    return rows


def main_value(folder: Path, command: str) -> float | None:
    """The first number of the command's kind, which is the encoder's own; None where there is none."""
    evaluation, metric = MAIN.get(command, ("", ""))
    found = (r["value"] for r in read_rows(folder) if r["evaluation"] == evaluation and r["metric"] == metric)
    return next(found, None)
