"""Runs as processes of their own: started, stopped, compared bit for bit."""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

EXIT_INTERRUPTED = 3


def start(*arguments: str) -> "subprocess.Popen[str]":
    """`sslrun <arguments>`, on one thread."""
    return subprocess.Popen(
        [sys.executable, "-m", "sslrun", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def finish(process: "subprocess.Popen[str]", *, code: int = 0, seconds: float = 240) -> str:
    """What it printed; it must end with `code`."""
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == code, output
    return output


def wait_until(process: "subprocess.Popen[str]", reached: Callable[[], bool]) -> None:
    """Wait while the run goes on."""
    deadline = time.monotonic() + 600
    while not reached():
        assert process.poll() is None, f"the run ended before it could be stopped: {process.communicate()[0]}"
        assert time.monotonic() < deadline
        time.sleep(0.002)


def weights(folder: Path, *, step: int) -> dict[str, torch.Tensor]:
    """Of the last checkpoint, which is that of `step`."""
    checkpoint = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert checkpoint["global_step"] == step
    return {k: v for k, v in checkpoint["state_dict"].items() if isinstance(v, torch.Tensor)}


def logged(folder: Path) -> list[tuple[str, str, str]]:
    """(step, name, value) of every row that does not tell of time."""
    with (folder / "metrics.csv").open() as file:
        rows = [(r["step"], r["name"], r["value"]) for r in csv.DictReader(file)]
    return sorted(r for r in rows if r[1] not in ("train/items_per_second", "train/data_wait"))


def seconds_of(folder: Path) -> float:
    """How long the training took."""
    with (folder / "metrics.csv").open() as file:
        return max(float(row["seconds"]) for row in csv.DictReader(file))


def assert_equal_runs(a: Path, b: Path, *, step: int) -> None:
    """The same weights in every bit, and the same numbers at the same steps."""
    first, second = weights(a, step=step), weights(b, step=step)
    assert first.keys() == second.keys()
    assert [k for k in first if not torch.equal(first[k], second[k])] == []
    assert logged(a) == logged(b)
