"""`sslrun logs RUN`: print the last lines of a run's output and follow it, across restarts, until it ends."""

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
STATE_POLL_SECONDS = {"slurm": 5.0}
"""Seconds between queries of the run's state, by launcher; limits the load on SLURM's controller."""
MAX_ROWS_PER_STEP = 12
"""Rows of metrics.csv that are written together."""


def main(arguments: list[str]) -> None:
    """Print a run's output and follow it."""
    parser = argparse.ArgumentParser(prog="sslrun logs", description="Print what a run prints, and follow it.")
    parser.add_argument("run", type=Path, metavar="RUN", help="a run folder")
    parser.add_argument("-n", type=int, default=50, metavar="LINES", help="number of earlier lines; default 50")
    parser.add_argument("--no-follow", action="store_true", help="print these and exit")
    options = parser.parse_args(arguments)
    folder = run_folder(options.run)
    try:
        follow(folder, lines=max(0, options.n), until_end=not options.no_follow)
    except KeyboardInterrupt:
        sys.exit(0)


def run_folder(path: Path) -> Path:
    """`path`, if it is a run folder.

    Raises:
        RunError: it is not; suggests what may have been meant.
    """
    if is_run(path):
        return path
    if path.is_dir():
        below = sorted(find_runs(path))
        hint = f"; {len(below)} run(s) below it, such as {below[-1]}" if below else ""
        raise RunError(f"{path} is not a run folder: it has no run.json{hint}; `sslrun runs {path}` lists them")
    siblings = [p.name for p in path.absolute().parent.glob("*") if p.is_dir()]
    raise RunError(f"{path}: no such folder{did_you_mean(path.name, siblings)}; `sslrun runs` lists all runs")


def follow(folder: Path, *, lines: int, until_end: bool) -> None:
    """Print the last `lines` lines and, with `until_end`, follow the output."""
    queue = SlurmQueue([folder])
    announced, polled = "", -float("inf")
    with Tail(log_path(folder)) as tail:
        before = _shown(tail, tail.last(MAX_ROWS_PER_STEP * lines if tail.path.suffix == ".csv" else lines))
        _print(before[-lines:] if lines else [])
        while True:
            launcher = (read_job(folder) or {}).get("launcher", "")
            if time.monotonic() - polled >= STATE_POLL_SECONDS.get(launcher, POLL_SECONDS):
                polled = time.monotonic()
                queue.refresh([folder])
                now = current_state(folder, manifest_or_failed(folder), queue)
            if tail.path != log_path(folder):  # a launcher has resumed it
                tail.switch_to(log_path(folder))
            _print(_shown(tail, tail.new()))  # after polling: the last lines come before the end is announced
            if now.over or not until_end:
                say(f"{folder} {describe(now)}")
                return
            waits = now.state in (State.queued, State.preempted)
            if waits and describe(now) != announced:
                say(f"{folder} {describe(now)}; waiting for it to start")
            announced = describe(now) if waits else ""
            time.sleep(POLL_SECONDS)


def log_path(folder: Path) -> Path:
    """The log of a launched run; metrics.csv for a run in a terminal, which has no log."""
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
    """Join rows of metrics.csv written together: `step 40  train/loss 3.698  train/lr 0.002`."""
    rows = [cells for line in lines if len(cells := line.split(",")) == 5 and cells[0].isdigit()]
    groups = itertools.groupby(rows, key=lambda cells: (cells[0], cells[2]))
    return ["  ".join([f"step {step}", *(f"{n} {float(v):.4g}" for *_, n, v in cells)]) for (step, _), cells in groups]
