"""Runs as lines of text that fit a terminal."""

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
DROPPED = ("age", "command", "speed", "dataset", "method", "last", "best", "progress")
"""Columns that go, in this order, where a terminal is too narrow for all."""
SHORTEST_FOLDER = 24
TOLD = (State.failed, State.lost, State.queued)
"""States whose note stands below their row."""


def active_first(run: Overview) -> int:
    """Order of states: what may still change comes first."""
    return list(State).index(State(run.state))


def table(found: list[Overview], *, width: int | None, colour: bool) -> list[str]:
    """A head, a row for each run, and below it what ended it.

    Args:
        width: of the terminal; None does not limit the lines.
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
        "folder": [_near(run.folder) for run in found],
    }
    columns = {head: cells for head, cells in columns.items() if any(cells) or head == "folder"}
    for head in DROPPED:
        if width is not None and _width(columns) + SHORTEST_FOLDER > width:
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
        if run.note and State(run.state) in TOLD:
            note = f"  {run.note}"
            lines.append(note if width is None or len(note) <= width else f"{note[: width - 1]}…")
    return lines


def _width(columns: dict[str, list[str]]) -> int:
    """Of all columns but the last, with the gaps."""
    return sum(2 + max(len(cell) for cell in (head, *cells)) for head, cells in columns.items() if head != "folder")


def _shortened(text: str, space: int | None) -> str:
    """The end of a path says more than its beginning."""
    return text if space is None or len(text) <= space else f"…{text[len(text) - space + 1 :]}"


def _near(folder: str) -> str:
    """As one would type it here."""
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


def age(moment: str | None) -> str:
    """Time since an ISO 8601 moment, in the largest unit that fits."""
    if moment is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
