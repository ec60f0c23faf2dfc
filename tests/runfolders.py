"""Run folders made by hand, and a SLURM that says what it is told to."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sslrun.core.atomic import write_text

CREATED = "2026-01-02T03:04:05+00:00"
CONFIG = "seed: 0\nmethod:\n  kind: byol\n  hidden_dim: 8\ndataset:\n  kind: digits\n  name: digits\n"


def make_run(
    folder: Path, *, status: str | None = "finished", job: dict[str, Any] | None = None, **fields: Any
) -> Path:
    """A run folder with run.json, unless `status` is None, and job.json where there is a `job`."""
    folder.mkdir(parents=True, exist_ok=True)
    if status is not None:
        manifest = {"command": "pretrain", "status": status, "created": CREATED, "host": "elsewhere", "pid": 1}
        manifest |= {"seconds": 12.5, "total_steps": 100, "sessions": [{"stopped": None}], **fields}
        write_text(folder / "run.json", json.dumps(manifest))
        (folder / "config.yaml").write_text(CONFIG)
    if job is not None:
        record = {"task": None, "submitted": CREATED, "script": None, **job}
        (folder / "job.json").write_text(json.dumps(record))
    return folder


def write_metrics(folder: Path, rows: list[tuple[int, str, float]]) -> None:
    """metrics.csv of (step, name, value)."""
    lines = [f"{step},{step / 10:.4f},{step / 2:.2f},{name},{value:.8g}\n" for step, name, value in rows]
    (folder / "metrics.csv").write_text("step,epoch,seconds,name,value\n" + "".join(lines))


def write_results(folder: Path, *, evaluation: str, value: float, low: float, high: float) -> None:
    """results.json with one row."""
    row = {"evaluation": evaluation, "metric": "top1", "value": value, "low": low, "high": high}
    (folder / "results.json").write_text(json.dumps({"schema_version": 1, "rows": [row]}))


def age(folder: Path, seconds: float) -> None:
    """Let all files have been written so long ago."""
    for path in folder.iterdir():
        moment = path.stat().st_mtime - seconds
        os.utime(path, (moment, moment))


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, as a process that works on it."""
    with (folder / ".lock").open("a+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class FakeSlurm:
    """`squeue` and `scontrol` on the PATH; each call is noted."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.queue("")
        self._script("squeue", f'echo squeue "$@" >> {folder}/calls\ncat {folder}/queue\n')
        self._script("scontrol", f'echo scontrol "$@" >> {folder}/calls\ncat {folder}/ended 2>/dev/null || exit 1\n')

    def queue(self, text: str) -> None:
        """What squeue answers: `job|task|state|start|reason` lines."""
        write_text(self.folder / "queue", text)  # whole: squeue may read it meanwhile

    def ended(self, text: str) -> None:
        """What scontrol answers; without it, it knows no job."""
        (self.folder / "ended").write_text(text)

    def break_squeue(self) -> None:
        """As where the controller is away."""
        self._script("squeue", "exit 1\n")

    def calls(self) -> list[str]:
        """Command lines, in order."""
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def _script(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!/bin/sh\n{text}")
        (self.bin / name).chmod(0o755)
