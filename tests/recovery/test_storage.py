"""A disk that fills up or turns read-only while a run writes: one line, the last checkpoint intact, run.json whole."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from children import Runner
from sessions import logged
from sslrun.runs.newest import verify

pytestmark = pytest.mark.recovery
COMMAND = [
    "pretrain", "method=byol", "augmentation=digits", "loader.batch_size=128", "loader.workers=0", "trainer.steps=12",
    "trainer.precision=fp32", "monitor.every_epochs=0", "trainer.log_steps=1", "method.hidden_dim=32",
    "method.out_dim=16", "trainer.checkpoint_steps=1",
]  # fmt: skip


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 24 MiB in memory."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("mounting a filesystem needs root")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"no filesystem can be mounted here: {made.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def at_step(step: int, change: Any) -> Any:
    """In the child: `change()` before the checkpoint of `step`."""

    def arrange() -> None:
        from sslrun.training.checkpoints import Checkpoints

        save = Checkpoints.save

        def save_after_change(self: Any, trainer: Any, name: str) -> None:
            if trainer.global_step == step:
                change()
            save(self, trainer, name)

        Checkpoints.save = save_after_change  # type: ignore[method-assign]

    return arrange


def fill(place: Path, *, leave: int) -> None:
    """Leave so many bytes free."""
    free = os.statvfs(place)
    with (place / "filler").open("wb") as file:
        file.write(bytes(max(0, free.f_bavail * free.f_frsize - leave)))


def turn_read_only(place: Path) -> None:
    """By a mount over it: a remount is refused while the lock is open for writing."""
    subprocess.run(["mount", "--bind", place, place], check=True)
    subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)


def turn_back(place: Path) -> None:
    subprocess.run(["umount", "-l", place], check=True)


def status(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "run.json").read_text())
    return found


def one_line(output: str) -> str:
    lines = [line for line in output.splitlines() if "error" in line.lower()]
    assert len(lines) == 1 and "Traceback" not in output, output
    return lines[0]


@pytest.mark.parametrize("leave", [0, 65536], ids=["not a byte", "room for text"])
def test_full_when_a_checkpoint_is_written(disk: Path, runner: Runner, leave: int) -> None:
    folder = disk / "run"
    told = runner.run(*COMMAND, f"run.dir={folder}", code=2, before=at_step(5, lambda: fill(disk, leave=leave)))
    last = folder / "checkpoints" / "last.ckpt"
    message = f"sslrun: error: {last} cannot be written: No space left on device; the last checkpoint is intact"
    assert message in one_line(told)
    assert verify(folder / "checkpoints" / "last.ckpt") == 4
    assert status(folder)["command"] == "pretrain"
    if leave:
        assert status(folder)["status"] == "failed" and "No space left" in status(folder)["last_error"]
    (disk / "filler").unlink()
    runner.run(*COMMAND, f"run.dir={folder}")
    assert status(folder)["status"] == "finished"
    assert sorted({int(s) for s, _, _ in logged(folder)}) == list(range(1, 13))


def test_full_when_metrics_are_written(disk: Path, runner: Runner) -> None:
    folder = disk / "run"

    def cut() -> None:
        from sslrun.training.loggers import MetricsFile

        log = MetricsFile.log_metrics

        def log_on_a_full_disk(self: Any, metrics: Any, step: Any = None) -> None:
            if step == 6:
                fill(disk, leave=0)
                with self.path.open("a") as file:  # to the end of the file's last page
                    file.write("," * (4095 - self.path.stat().st_size % 4096) + "\n")
            log(self, metrics, step)

        MetricsFile.log_metrics = log_on_a_full_disk  # type: ignore[method-assign]

    told = runner.run(*COMMAND, f"run.dir={folder}", code=2, before=cut)
    assert f"{folder / 'metrics.csv'} cannot be written: No space left on device" in one_line(told)
    assert verify(folder / "checkpoints" / "last.ckpt") == 5
    assert status(folder)["command"] == "pretrain"
    (disk / "filler").unlink()
    runner.run(*COMMAND, f"run.dir={folder}")
    assert [int(s) for s, name, _ in sorted(logged(folder), key=lambda r: int(r[0])) if name == "train/loss"] == [
        *range(1, 13)
    ]  # fmt: skip


def test_full_from_the_start(disk: Path, runner: Runner) -> None:
    fill(disk, leave=0)
    told = runner.run(*COMMAND, f"run.dir={disk / 'run'}", code=2)
    assert f"run.dir={disk / 'run'} cannot be written: No space left on device" in one_line(told)


def test_read_only_from_the_start_and_in_the_middle(disk: Path, runner: Runner) -> None:
    folder = disk / "run"
    turn_read_only(disk)
    told = runner.run(*COMMAND, f"run.dir={folder}", code=2)
    assert f"{folder} cannot be written: Read-only file system" in one_line(told)
    turn_back(disk)
    told = runner.run(*COMMAND, f"run.dir={folder}", code=2, before=at_step(5, lambda: turn_read_only(disk)))
    assert "last.ckpt cannot be written: " in one_line(told)
    assert verify(folder / "checkpoints" / "last.ckpt") == 4
    assert status(folder)["status"] == "running"  # nothing could be noted: as after kill -9
    told = runner.run(*COMMAND, f"run.dir={folder}", code=2)
    assert f"run.dir={folder} cannot be written: Read-only file system" in one_line(told)
    turn_back(disk)
    runner.run(*COMMAND, f"run.dir={folder}")
    assert status(folder)["status"] == "finished"
