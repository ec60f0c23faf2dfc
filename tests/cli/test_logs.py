"""`sslrun logs`: what was printed, what comes, and how it ended."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from runfolders import FakeSlurm, held, make_run, write_metrics
from sslrun.commands import logs
from sslrun.config.errors import RunError
from sslrun.runs.tail import Tail

LOCAL = {"launcher": "process", "job": "0"}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSlurm:
    """Short waits, and a SLURM without jobs."""
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{fake.bin}:/usr/bin:/bin")
    monkeypatch.setattr(logs, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(logs, "STATE_POLL_SECONDS", {})
    return fake


def add(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def meanwhile(*steps: Callable[[], object], seen: Callable[[], None] = lambda: time.sleep(0.03)) -> threading.Thread:
    """Call these, each when the one before was seen."""

    def work() -> None:
        for step in steps:
            seen()
            step()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "a", job=LOCAL)
    (folder / "log.txt").write_text("".join(f"line {i}\n" for i in range(60)))
    logs.main([str(folder)])
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [f"line {i}" for i in range(10, 60)]
    assert printed.err == f"{folder} has finished\n"
    logs.main([str(folder), "-n", "2", "--no-follow"])
    assert capsys.readouterr().out == "line 58\nline 59\n"
    logs.main([str(folder), "-n", "0"])
    assert capsys.readouterr().out == ""


def test_a_failed_run_says_its_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "a", status="failed", job=LOCAL, last_error="RuntimeError: boom")
    (folder / "log.txt").write_text("RuntimeError: boom\n")
    logs.main([str(folder)])
    assert capsys.readouterr().err == f"{folder} has failed: RuntimeError: boom\n"


def test_a_growing_file_is_followed_to_the_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "a", status="running", job=LOCAL)
    log = folder / "log.txt"
    log.write_text("before\n")
    with held(folder):
        work = meanwhile(
            lambda: add(log, "first\nsec"),
            lambda: add(log, "ond\n"),
            lambda: add(log, "third\n") or make_run(folder, status="finished"),
        )
        logs.main([str(folder)])
    work.join()
    printed = capsys.readouterr()
    assert printed.out == "before\nfirst\nsecond\nthird\n"
    assert printed.err == f"{folder} has finished\n"


def test_a_queued_run_is_waited_for_and_followed_over_a_requeue(
    tmp_path: Path, quick: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    job = {"launcher": "slurm", "job": "41", "task": 0}
    quick.queue("41|0|PENDING|N/A|Priority\n")
    folder = make_run(tmp_path / "a", status=None, job=job)
    log = folder / "log.txt"

    def seen() -> None:
        """Two more looks at the queue: the second began after the last change."""
        asked, deadline = len(quick.calls()), time.monotonic() + 30
        while len(quick.calls()) < asked + 2 and time.monotonic() < deadline:
            time.sleep(0.01)

    work = meanwhile(
        lambda: quick.queue("41|0|RUNNING|2026-01-02T03:00:00|None\n"),
        lambda: make_run(folder, status="running") and add(log, "one\n"),
        lambda: quick.queue("41|0|PENDING|N/A|BeginTime\n"),
        lambda: quick.queue("41|0|RUNNING|2026-01-02T03:00:00|None\n"),
        lambda: add(log, "two\n") or make_run(folder, status="finished"),
        seen=seen,
    )
    logs.main([str(folder)])
    work.join()
    printed = capsys.readouterr()
    assert printed.out == "one\ntwo\n"
    assert printed.err.splitlines() == [
        f"{folder} is queued: Priority; waiting for it to start",
        f"{folder} has been preempted: BeginTime; waiting for it to start",
        f"{folder} has finished",
    ]


def test_numbers_of_a_run_in_a_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_run(tmp_path / "a", status="interrupted")
    write_metrics(folder, [(10, "train/loss", 2.5), (10, "train/lr", 0.00012345), (20, "train/loss", 2.25)])
    logs.main([str(folder)])
    printed = capsys.readouterr()
    assert printed.out == "step 10  train/loss 2.5  train/lr 0.0001234\nstep 20  train/loss 2.25\n"
    assert printed.err == f"{folder} has been interrupted\n"
    logs.main([str(folder), "-n", "1"])
    assert capsys.readouterr().out == "step 20  train/loss 2.25\n"


def test_ctrl_c_ends_quietly(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", job=LOCAL)
    (folder / "log.txt").write_text("hello\n")
    with held(folder):
        process = subprocess.Popen(
            [sys.executable, "-m", "sslrun", "logs", str(folder)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a suite in the background
        )  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "hello\n"
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0


def test_no_run_there_is_one_line(tmp_path: Path) -> None:
    make_run(tmp_path / "sweep" / "first")
    with pytest.raises(RunError, match=r"sweeep: no such folder; did you mean 'sweep'\?"):
        logs.main([str(tmp_path / "sweeep")])
    with pytest.raises(RunError, match=r"it has no run.json; 1 run\(s\) below it, such as .*/first;"):
        logs.main([str(tmp_path / "sweep")])


def test_rows_after_a_rewind_are_new_and_those_before_it_are_not(tmp_path: Path) -> None:
    """A run that goes on from its checkpoint replaces metrics.csv by its beginning."""
    path = tmp_path / "metrics.csv"
    path.write_text("1\n2\n3\n4\n")
    with Tail(path) as tail:
        assert tail.last(2) == ["3", "4"]
        (tmp_path / "new").write_text("1\n2\n3b\n")
        (tmp_path / "new").replace(path)
        assert tail.new() == ["3b"]
        add(path, "4b\n5")
        assert tail.new() == ["4b"]
        path.write_text("x\n")
        assert tail.new() == ["x"]


def test_last_lines_of_a_large_file_and_of_none(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    with Tail(path) as early, Tail(path) as late:
        assert early.last(3) == [] and early.new() == []
        path.write_text("".join(f"{i:0100d}\n" for i in range(5000)))
        assert [int(line) for line in late.last(2000)] == list(range(3000, 5000))
        assert len(early.new()) == 5000
