"""`sslrun logs RUN`: what a run prints, from its last lines on, across restarts, until it ends."""

import argparse
import itertools
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import RunError
from sslrun.core.console import say
from sslrun.runs.find import find_runs
from sslrun.runs.job import LOG, read_job
from sslrun.runs.manifest import manifest_or_failed
from sslrun.runs.queue import SlurmQueue
from sslrun.runs.state import CurrentState, State, current_state, is_run
from sslrun.runs.tail import Tail

POLL_SECONDS = 0.25
LOOK_SECONDS = {"slurm": 5.0}
"""Between two looks at the run's state, by launcher; SLURM's controller serves others too."""
ROWS_A_LINE = 12
"""Rows of metrics.csv that are written together, at most."""


def main(arguments: list[str]) -> None:
    """Print and follow."""
    parser = argparse.ArgumentParser(prog="sslrun logs", description="Print what a run prints, and follow it.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("-n", type=int, default=50, metavar="LINES", help="how many lines from before; default 50")
    parser.add_argument("--no-follow", action="store_true", help="print these and leave")
    asked = parser.parse_args(arguments)
    folder = run_folder(asked.run)
    try:
        follow(folder, lines=max(0, asked.n), until_end=not asked.no_follow)
    except KeyboardInterrupt:
        sys.exit(0)


def run_folder(path: Path) -> Path:
    """`path`, if a run lies there.

    Raises:
        RunError: it does not; with what may have been meant.
    """
    if is_run(path):
        return path
    if path.is_dir():
        below = sorted(find_runs(path))
        hint = f"; {len(below)} runs lie below it, such as {below[-1]}" if below else ""
        raise RunError(f"{path} is not a run folder: it has no run.json{hint}; `sslrun runs {path}` lists them")
    siblings = [p.name for p in path.absolute().parent.glob("*") if p.is_dir()]
    raise RunError(f"{path}: no such folder{did_you_mean(path.name, siblings)}; `sslrun runs` lists what there is")


def follow(folder: Path, *, lines: int, until_end: bool) -> None:
    """Print the last `lines` lines, and, `until_end`, what comes after them."""
    queue = SlurmQueue([folder])
    announced, looked = "", -float("inf")
    with Tail(followed(folder)) as tail:
        before = _shown(tail, tail.last(ROWS_A_LINE * lines if tail.path.suffix == ".csv" else lines))
        _print(before[-lines:] if lines else [])
        while True:
            launcher = (read_job(folder) or {}).get("launcher", "")
            if time.monotonic() - looked >= LOOK_SECONDS.get(launcher, POLL_SECONDS):
                looked = time.monotonic()
                queue.refresh([folder])
                now = current_state(folder, manifest_or_failed(folder), queue)
            if tail.path != followed(folder):  # a launcher has taken it over
                tail.switch_to(followed(folder))
            _print(_shown(tail, tail.new()))  # after the look: lines from before the end come before its announcement
            if now.over or not until_end:
                say(f"{folder} {describe(now)}")
                return
            waits = now.state in (State.queued, State.preempted)
            if waits and describe(now) != announced:
                say(f"{folder} {describe(now)}; waiting for it to start")
            announced = describe(now) if waits else ""
            time.sleep(POLL_SECONDS)


def followed(folder: Path) -> Path:
    """A run in somebody's terminal has no log of its own: then its numbers."""
    own_log = (folder / LOG).exists() or read_job(folder) is not None
    return folder / (LOG if own_log else "metrics.csv")


def describe(now: CurrentState) -> str:
    """`is running`, `has failed: …`."""
    verb = "is" if now.state in (State.running, State.queued, State.lost) else "has been"
    if now.state in (State.failed, State.finished):
        verb = "has"
    return f"{verb} {now.state.value}" + (f": {now.note}" if now.note else "")


def _shown(tail: Tail, lines: list[str]) -> list[str]:
    return as_numbers(lines) if tail.path.suffix == ".csv" else lines


def _print(lines: list[str]) -> None:
    for line in lines:
        print(line)
    sys.stdout.flush()


def as_numbers(lines: Iterable[str]) -> list[str]:
    """Rows of metrics.csv that were written together, on one line: `step 40  train/loss 3.698  train/lr 0.002`."""
    rows = [cells for line in lines if len(cells := line.split(",")) == 5 and cells[0].isdigit()]
    groups = itertools.groupby(rows, key=lambda cells: (cells[0], cells[2]))
    return ["  ".join([f"step {step}", *(f"{n} {float(v):.4g}" for *_, n, v in cells)]) for (step, _), cells in groups]
