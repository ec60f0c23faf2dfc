"""Shared by the scripts that make tables: running sslrun, reading its run folders, keeping rows in a .jsonl."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 3
"""Exit code of a command that was interrupted and saved its state."""

Row = dict[str, Any]


def sslrun(*arguments: str) -> None:
    """Run a command of sslrun; it ends at once if its run is finished."""
    print("sslrun", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "sslrun", *arguments], check=True)


def sslrun_anew(run: Path, *arguments: str) -> None:
    """Run a command that cannot resume: start over unless its run is finished."""
    if not finished(run):
        shutil.rmtree(run, ignore_errors=True)
        sslrun(*arguments, f"run.dir={run}")


def finished(run: Path) -> bool:
    """Whether the run folder exists and its run is finished."""
    return (run / "run.json").is_file() and bool(read_json(run / "run.json")["status"] == "finished")


def machine(manifest: Row) -> str:
    """Processor, threads, precision, torch."""
    hardware = manifest["hardware"]
    device = manifest["resolved"]["device"]
    return f"{hardware['cores']} cores of {hardware['cpu']}, {device}, torch {manifest['versions']['torch']}"


def items_per_second(run: Path, *, batch: int) -> float:
    """Training speed between the first and the last logged step."""
    with (run / "metrics.csv").open() as file:
        seconds = {int(r["step"]): float(r["seconds"]) for r in csv.DictReader(file) if r["name"] == "train/loss"}
    first, last = min(seconds), max(seconds)
    return (last - first) * batch / (seconds[last] - seconds[first])


def read_json(path: Path) -> Row:
    """The object in a JSON file."""
    return json.loads(path.read_text())


def read_rows(path: Path) -> list[Row]:
    """The rows in a .jsonl, none if it does not exist."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def append(path: Path, rows: list[Row]) -> None:
    """Append rows in one write; they are on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())
