"""Jobs, and shell scripts in place of SLURM's commands."""

import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sslrun.launch.job import Job


def job(folder: Path, number: int = 0, **shape: int) -> Job:
    """A job whose run folder is `<folder>/<number>`."""
    return Job(number=number, arguments=("pretrain", "seed=1"), folder=folder / str(number), cwd=folder, **shape)


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, **commands: str) -> Path:
    """Put shell scripts of these names first on the PATH; each call is noted in the file returned."""
    calls = folder / "calls"
    for name, lines in commands.items():
        path = folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {calls}\n{lines}\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return calls


def noted(calls: Path, *commands: str) -> list[str]:
    """The calls of these commands, in order."""
    lines = calls.read_text().splitlines() if calls.exists() else []
    return [line for line in lines if line.split(" ")[0] in commands]


def wait_until(
    reached: Callable[[], bool], process: "subprocess.Popen[bytes] | None" = None, *, seconds: float = 60
) -> None:
    """Wait while `process` runs, for at most so long."""
    deadline = time.monotonic() + seconds
    while not reached():
        assert process is None or process.poll() is None, "the process ended before"
        assert time.monotonic() < deadline, f"not reached after {seconds:g} s"
        time.sleep(0.02)
