"""Files that a launcher writes into a run folder: `job.json`, the job's identity, and `log.txt`, its output."""

import json
import os
import re
from pathlib import Path
from typing import Any

LOG = "log.txt"
RECORD = "job.json"
TAIL_BYTES = 64 * 1024
_EXCEPTION = re.compile(r"^(\[rank\d+\]: )?([\w.]+(Error|Exception|Exit)\b|sslrun: error: )")
"""Optionally after torch's rank prefix."""
_SLURM = re.compile(r"^(srun|slurmstepd[^:]*): ")
_ERROR = re.compile(r"error|killed|exception|out of memory|segmentation fault|no space left|fatal", re.IGNORECASE)


def read_job(folder: Path) -> dict[str, Any] | None:
    """`job.json`; None if it is absent or unreadable."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return record


def slurm_job() -> str | None:
    """This process's SLURM job, as squeue names it: `12`, or `12_3` for an array task."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    return os.environ.get("SLURM_JOB_ID") if array is None else f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}"


def last_error(log: Path) -> str:
    """The last line of a run's log that names an exception, else one that mentions an error, else the last line.

    Lines of the run take precedence over SLURM's. If other ranks have logs (`log-rank1.txt`), the exception of the rank
    that stopped writing first is returned: the others failed because of it.
    """
    ranks = {path: _rank_of(path) for path in log.parent.glob("log-rank*.txt")}
    for path in sorted([p for p in (log, *ranks) if p.exists()], key=lambda p: p.stat().st_mtime):
        if exceptions := [line for line in _own(_lines(path)) if _EXCEPTION.match(line)]:
            return f"rank {ranks[path]}: {exceptions[-1]}" if path in ranks else exceptions[-1]
    lines = _lines(log)
    errors = [line for line in lines if _ERROR.search(line)]
    return (_own(errors) or errors or lines or ["ended before it printed anything"])[-1]


def _lines(log: Path) -> list[str]:
    try:
        text = read_tail(log).decode("utf-8", "replace")
    except OSError:
        return []
    return [" ".join(line.split()) for line in text.splitlines() if line.strip()]


def _own(lines: list[str]) -> list[str]:
    return [line for line in lines if not _SLURM.match(line)]


def _rank_of(log: Path) -> str:
    return log.stem.removeprefix("log-rank")


def read_tail(path: Path, size: int = TAIL_BYTES) -> bytes:
    """The last `size` bytes of a file, starting at a whole line."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - size)
        file.seek(start)
        data = file.read()
    return data.partition(b"\n")[2] if start else data
