"""What a launcher leaves in a run folder: `job.json`, who runs it, and `log.txt`, what it printed."""

import json
import os
import re
from pathlib import Path
from typing import Any

LOG = "log.txt"
RECORD = "job.json"
TAIL_BYTES = 64 * 1024
_EXCEPTION = re.compile(r"^(\d+: )?([\w.]+(Error|Exception)\b|sslrun: error: )")
"""With the rank before it, as `srun --label` prints."""
_SLURM = re.compile(r"^(\d+: )?(srun|slurmstepd[^:]*): ")
_TOLD = re.compile(r"error|killed|exception|out of memory|segmentation fault|no space left|fatal", re.IGNORECASE)


def read_record(folder: Path) -> dict[str, Any] | None:
    """`job.json`; None where there is none that can be read."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text())
    except (OSError, json.JSONDecodeError):
        return None
    return record


def last_error(log: Path) -> str:
    """The last line of a log that names an exception, else one that tells of an error, else its last.

    The run's own come before SLURM's.
    """
    try:
        text = read_tail(log).decode("utf-8", "replace")
    except OSError:
        text = ""
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    told = [line for line in lines if _TOLD.search(line)]
    own = [line for line in told if not _SLURM.match(line)]
    exceptions = [line for line in own if _EXCEPTION.match(line)]
    return (exceptions or own or told or lines or ["ended before it printed anything"])[-1]


def read_tail(path: Path, size: int = TAIL_BYTES) -> bytes:
    """The last `size` bytes of a file, from the first whole line in them on."""
    with path.open("rb") as file:
        start = max(0, file.seek(0, os.SEEK_END) - size)
        file.seek(start)
        data = file.read()
    return data.partition(b"\n")[2] if start else data
