"""kill -9 at random moments, checkpoint writes among them; the same command ends each run as if nothing had been."""

import csv
import itertools
import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from children import Runner
from sessions import assert_equal_runs
from small import SIZES
from sslrun.config.compose import compose

METHODS = ["mocov2", "byol", "dino", "swav", "nnclr"]
KILLS, WRITES = 12, 4
"""Of each method, at least; and how many of them in the middle of writing a checkpoint."""
STEPS = 24
pytestmark = pytest.mark.recovery


def command_for(method: str) -> list[str]:
    config: Any = compose("pretrain", [f"method={method}"])
    sizes = [f"method.{k}={v}" for k, v in SIZES.items() if hasattr(config.method, k)]
    return [
        "pretrain", f"method={method}", *sizes, "augmentation=digits", "loader.batch_size=64", "loader.workers=0",
        "trainer.precision=fp32", f"trainer.steps={STEPS}", "trainer.log_steps=1", "trainer.checkpoint_steps=1",
        "trainer.accumulate=2", "monitor.every_epochs=0.5", "monitor.items=32",
    ]  # fmt: skip


def die_while_writing(nth: int, share: float) -> Callable[[], None]:
    """In the child: the `nth` checkpoint is written in part, then the process is killed."""

    def arrange() -> None:
        count, save = itertools.count(1), torch.save

        def cut_short(value: Any, file: Any, *arguments: Any, **options: Any) -> None:
            save(value, file, *arguments, **options)
            if next(count) == nth:
                file.flush()
                os.truncate(file.fileno(), int(share * os.fstat(file.fileno()).st_size))
                os.kill(os.getpid(), signal.SIGKILL)

        torch.save = cut_short

    return arrange


def rows(folder: Path) -> list[dict[str, Any]]:
    found = json.loads((folder / "results.json").read_text())["rows"]
    return [{k: v for k, v in row.items() if k != "encoder"} for row in found]


def state(folder: Path) -> dict[str, Any]:
    saved = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)
    return {"optimizer": saved["optimizer_states"], "callbacks": saved["callbacks"]}


def equal(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(equal(x, y) for x, y in zip(a, b, strict=True))
    return torch.equal(a, b) if isinstance(a, torch.Tensor) else bool(a == b)


def assert_sane(folder: Path, *, killed: int) -> None:
    """run.json tells of every session, metrics.csv of every step once, and nothing half-written is left."""
    manifest = json.loads((folder / "run.json").read_text())
    assert manifest["status"] == "finished" and "warnings" in manifest and manifest["warnings"] == []
    sessions = manifest["sessions"]
    began = [s["from_step"] for s in sessions]
    assert began == sorted(began) and [s["to_step"] for s in sessions] == [*began[1:], STEPS]
    assert len(sessions) <= killed + 1  # those killed before they opened the folder left no entry
    assert [s["status"] for s in sessions] == ["running"] * (len(sessions) - 1) + ["finished"]
    with (folder / "metrics.csv").open() as file:
        found = [(int(r["step"]), r["name"], float(r["seconds"])) for r in csv.DictReader(file)]
    assert [s for s, name, _ in found if name == "train/loss"] == list(range(1, STEPS + 1))
    assert [seconds for *_, seconds in found] == sorted(seconds for *_, seconds in found)
    assert sorted(p.name for p in (folder / "checkpoints").iterdir()) == [
        "best.ckpt", "last.ckpt", f"step-{STEPS - 1:08d}.ckpt"
    ]  # fmt: skip
    assert list(folder.rglob("*.tmp")) == []


@pytest.mark.parametrize("method", METHODS)
def test_killed_again_and_again(method: str, tmp_path: Path, runner: Runner) -> None:
    draw = random.Random(method)
    command, whole = command_for(method), tmp_path / "whole"
    child, started, first = runner.start(*command, f"run.dir={whole}"), time.monotonic(), 0.0
    while not first:
        first = time.monotonic() - started if (whole / "checkpoints" / "last.ckpt").exists() else 0.0
        time.sleep(0.002)
    assert child.wait() == 0
    rest = time.monotonic() - started - first
    done = writes = 0
    for number in itertools.count():
        folder, kills = tmp_path / f"killed{number}", 0
        while done + kills < KILLS:
            arguments = [*command, f"run.dir={folder}"]
            if writes < WRITES and kills % 2:
                ended = runner.start(*arguments, before=die_while_writing(draw.randint(1, 3), draw.random())).wait()
                writes += 1
            else:
                seconds = draw.uniform(0.2 * first, first + rest / 4)
                ended = runner.start(*arguments).kill_after(seconds)
            if ended == 0:
                break
            assert ended == -signal.SIGKILL, runner.log.read_text()
            kills += 1
        runner.run(*command, f"run.dir={folder}")
        assert_equal_runs(whole, folder, step=STEPS)
        assert equal(state(whole)["optimizer"], state(folder)["optimizer"])
        assert rows(whole) == rows(folder)
        assert_sane(folder, killed=kills)
        done += kills
        if done >= KILLS:
            break
    assert done >= KILLS and writes >= WRITES
