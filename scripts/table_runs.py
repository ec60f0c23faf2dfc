"""What scripts that make tables share: commands of sslrun, their run folders, and the rows kept of them."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
INTERRUPTED = 3
"""Exit code of a command that was stopped and saved its state."""

Row = dict[str, Any]


def sslrun(*arguments: str) -> None:
    """Run a command of sslrun; a finished run says so and ends at once."""
    print("sslrun", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "sslrun", *arguments], check=True)


def sslrun_anew(run: Path, *arguments: str) -> None:
    """Run a command that cannot be continued, from its beginning unless it is finished."""
    if not finished(run):
        shutil.rmtree(run, ignore_errors=True)
        sslrun(*arguments, f"run.dir={run}")


def finished(run: Path) -> bool:
    """Whether a run folder is there and complete."""
    return (run / "run.json").is_file() and bool(read_json(run / "run.json")["status"] == "finished")


def machine(manifest: Row) -> str:
    """Processor, threads, precision, torch."""
    hardware = manifest["hardware"]
    device = manifest["resolved"]["device"]
    return f"{hardware['cores']} cores of {hardware['cpu']}, {device}, torch {manifest['versions']['torch']}"


def read_json(path: Path) -> Row:
    """A file of one object."""
    return json.loads(path.read_text())


def read_rows(path: Path) -> list[Row]:
    """Rows made so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.is_file() else []


def append(path: Path, rows: list[Row]) -> None:
    """All at once, on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write("".join(json.dumps(row) + "\n" for row in rows))
        file.flush()
        os.fsync(file.fileno())
