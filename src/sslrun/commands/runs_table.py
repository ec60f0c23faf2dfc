"""Table of runs for a terminal."""

import os
from datetime import UTC, datetime
from pathlib import Path

from sslrun.runs.overview import Overview
from sslrun.runs.state import State

COLOURS = {
    State.queued: "34",
    State.running: "36",
    State.preempted: "33",
    State.interrupted: "33",
    State.failed: "31",
    State.finished: "32",
    State.pruned: "90",
    State.lost: "31",
}
DROP_ORDER = ("age", "command", "speed", "dataset", "method", "last", "best", "progress")
"""Columns to drop, in this order, if the terminal is too narrow."""
MIN_FOLDER_WIDTH = 24
STATES_WITH_NOTE = (State.failed, State.lost, State.queued)
"""States whose note is printed below the row."""


def active_first(run: Overview) -> int:
    """Sort key: states that may still change first."""
    return list(State).index(State(run.state))


def table(found: list[Overview], *, width: int | None, colour: bool) -> list[str]:
    """A header and a row per run, with notes below.

    Args:
        width: of the terminal; None: unlimited.
    """
    columns = {
        "state": [run.state for run in found],
        "progress": [_progress(run) for run in found],
        "speed": [_speed(run) for run in found],
        "best": [_best(run) for run in found],
        "age": [age(run.created) for run in found],
        "last": [age(run.changed) for run in found],
        "command": [run.command for run in found],
        "method": [run.method for run in found],
        "dataset": [run.dataset for run in found],
        "folder": [_relative(run.folder) for run in found],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells) or head == "folder"}
    for head in DROP_ORDER:
        if width is not None and _width(columns) + MIN_FOLDER_WIDTH > width:
            columns.pop(head, None)
    space = None if width is None else max(8, width - _width(columns))
    rows = [[head, *cells] for head, cells in columns.items()]
    padded = [[cell.ljust(max(map(len, cells))) for cell in cells] for cells in rows[:-1]]
    padded.append([_shortened(cell, space) for cell in rows[-1]])
    names, *body = zip(*padded, strict=True)
    lines = ["  ".join(names).rstrip()]
    for run, (state, *rest) in zip(found, body, strict=True):
        code = COLOURS[State(run.state)]
        lines.append("  ".join((f"\x1b[{code}m{state}\x1b[0m" if colour else state, *rest)).rstrip())
        if run.note and State(run.state) in STATES_WITH_NOTE:
            note = f"  {run.note}"
            lines.append(note if width is None or len(note) <= width else f"{note[: width - 1]}…")
    return lines


def _width(columns: dict[str, list[str]]) -> int:
    """Width of all columns except the folder, with gaps."""
    return sum(2 + max(len(cell) for cell in (head, *cells)) for head, cells in columns.items() if head != "folder")


def _shortened(text: str, space: int | None) -> str:
    """Cut off the beginning of a path."""
    return text if space is None or len(text) <= space else f"…{text[len(text) - space + 1 :]}"


def _relative(folder: str) -> str:
    """Relative to the working directory, if it is below it."""
    relative = os.path.relpath(folder)
    return folder if relative.startswith("..") and Path(folder).is_absolute() else relative


def _progress(run: Overview) -> str:
    if run.progress is None or run.total_steps is None:
        return "" if run.step is None else f"{run.step}"
    return f"{int(100 * run.progress):>3} % of {run.total_steps}"


def _speed(run: Overview) -> str:
    return "" if run.items_per_second is None else f"{run.items_per_second:,.0f} items/s"


def _best(run: Overview) -> str:
    if run.best is None:
        return ""
    interval = "" if run.low is None or run.high is None else f" [{100 * run.low:.1f}, {100 * run.high:.1f}]"
    kind = run.measure.removeprefix("probe/").removesuffix("/top1")
    return f"{100 * run.best:.1f} %{interval} {kind}"


def age(timestamp: str | None) -> str:
    """Time since an ISO 8601 timestamp, in the largest unit that fits."""
    if timestamp is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
