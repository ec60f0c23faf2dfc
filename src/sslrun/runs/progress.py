"""Progress, speed and best probe of a run, from metrics.csv without reading all of it."""

import mmap
import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from sslrun.core.evaluations import EVALUATIONS
from sslrun.runs.job import read_tail

PROBES = [name for e in EVALUATIONS.values() if (name := e.logged.get("top1"))]
"""In order of precedence: the first that a run has logged is shown."""
SEARCHED_BYTES = 32 * 1024 * 1024
"""Part of the file in which the best value is searched: millions of steps at the default interval."""
SPEEDS = 5
TAIL_BYTES = 16 * 1024
"""A few hundred rows."""


@dataclass(frozen=True, kw_only=True)
class LoggedProgress:
    """Progress according to metrics.csv.

    Attributes:
        step: last logged step.
        items_per_second: median of the last few values.
        probe, best: the probe's name and its largest value so far.
    """

    step: int | None = None
    items_per_second: float | None = None
    probe: str | None = None
    best: float | None = None


def read_progress(metrics: Path) -> LoggedProgress:
    """Progress of a run; all None if there is no metrics.csv."""
    try:
        lines = read_tail(metrics, TAIL_BYTES).decode("utf-8", "replace").splitlines()
        probe, best = _best(metrics)
    except OSError:
        return LoggedProgress()
    rows = [cells for line in lines if len(cells := line.split(",")) == 5 and cells[0].isdigit()]
    speeds = [float(value) for *_, name, value in rows if name == "train/items_per_second"]
    return LoggedProgress(
        step=int(rows[-1][0]) if rows else None,
        items_per_second=statistics.median(speeds[-SPEEDS:]) if speeds else None,
        probe=probe,
        best=best,
    )


def _best(metrics: Path) -> tuple[str | None, float | None]:
    size = metrics.stat().st_size
    if size == 0:
        return None, None
    with metrics.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = max(0, size - SEARCHED_BYTES)
        pattern = re.compile(rb",(%s),([0-9.e+-]+)\n" % "|".join(PROBES).encode())
        logged = [(name.decode(), float(value)) for name, value in pattern.findall(data, start)]
    probe = min({name for name, _ in logged}, key=PROBES.index, default=None)
    return probe, max((value for name, value in logged if name == probe), default=None)
