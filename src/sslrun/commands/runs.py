"""`sslrun runs [FOLDER] [--json] [--state …] [--sort …] [--watch]`: the runs below a folder, and what each does now."""

import argparse
import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from time import sleep

from sslrun.commands.runs_table import active_first, table
from sslrun.config.checks import check_one_of
from sslrun.config.errors import RunError
from sslrun.runs.find import find_runs
from sslrun.runs.overview import SCHEMA_VERSION, Overview, Reader
from sslrun.runs.state import State

SORTS: dict[str, Callable[[Overview], tuple[float | str, ...]]] = {
    "created": lambda run: (run.created or "",),
    "changed": lambda run: (run.changed or "",),
    "state": lambda run: (active_first(run),),
    "best": lambda run: (-1.0 if run.best is None else run.best,),
    "progress": lambda run: (-1.0 if run.progress is None else run.progress,),
    "speed": lambda run: (run.items_per_second or 0.0,),
    "name": lambda run: (run.folder,),
}
"""--sort key -> sort key of a run; descending except for `ASCENDING`."""
ASCENDING = ("state", "name")


def main(arguments: list[str]) -> None:
    """Print the runs, once or repeatedly."""
    parser = argparse.ArgumentParser(
        prog="sslrun runs",
        description="The runs below FOLDER, and what each does now; SLURM is options where there is one.",
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path("runs"), metavar="FOLDER", help="default: runs")
    parser.add_argument("--json", action="store_true", help="print JSON; docs/run-folder.md explains it")
    parser.add_argument("--state", default="", help=f"only these, comma-separated: {', '.join(s.value for s in State)}")
    parser.add_argument("--sort", default="created", help=", ".join(SORTS))
    parser.add_argument(
        "--watch", nargs="?", type=float, const=5.0, metavar="SECONDS", help="refresh every SECONDS, default 5"
    )
    options = parser.parse_args(arguments)
    states = [word.strip() for word in options.state.split(",") if word.strip()]
    for word in states:
        check_one_of("--state", word, [s.value for s in State])
    check_one_of("--sort", options.sort, SORTS)
    if not options.folder.is_dir():
        raise RunError(f"{options.folder}: no such folder; give the one that holds your runs: sslrun runs FOLDER")
    reader = Reader()
    while True:
        folders = sorted(find_runs(options.folder))
        found = [run for run in reader.read(folders) if not states or run.state in states]
        found.sort(key=SORTS[options.sort], reverse=options.sort not in ASCENDING)
        text = _json(found) if options.json else _text(found, options.folder, states)
        _show(text, clear=options.watch is not None and sys.stdout.isatty())
        if options.watch is None:
            return
        sleep(options.watch)


def _json(found: list[Overview]) -> str:
    return json.dumps({"schema_version": SCHEMA_VERSION, "runs": [run.as_json() for run in found]}, indent=2)


def _text(found: list[Overview], folder: Path, states: list[str]) -> str:
    if not found:
        return f"no {' or '.join(states)} runs below {folder}" if states else f"no runs below {folder}"
    counts = Counter(run.state for run in found)
    summary = ", ".join(f"{counts[state.value]} {state.value}" for state in State if counts[state.value])
    terminal = sys.stdout.isatty()
    width = shutil.get_terminal_size().columns if terminal else None
    colour = terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return "\n".join(
        [f"{len(found)} {'run' if len(found) == 1 else 'runs'}: {summary}", *table(found, width=width, colour=colour)]
    )


def _show(text: str, *, clear: bool) -> None:
    if clear:
        text = f"\x1b[H\x1b[2J{text}"  # cursor to the top left, clear the screen
    print(text)
    sys.stdout.flush()
