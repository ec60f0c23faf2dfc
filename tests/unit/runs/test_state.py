"""What a run does now, for folders made by hand and a SLURM that says what it is told to."""

import os
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runfolders import FakeSlurm, age, held, make_run
from sslrun.runs.job import last_error
from sslrun.runs.manifest import manifest_or_failed
from sslrun.runs.queue import SlurmQueue
from sslrun.runs.state import KILLED, CurrentState, State, current_state

SLURM = {"launcher": "slurm", "job": "41", "task": 3}
LATER = "2026-01-02T04:00:00"
STOPPED = {"sessions": [{"stopped": "2026-01-02T03:30:00+00:00"}]}


@pytest.fixture(autouse=True)
def no_slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()


@pytest.fixture
def slurm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeSlurm:
    fake = FakeSlurm(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{fake.bin}:/usr/bin:/bin")
    return fake


def of(folder: Path) -> CurrentState:
    return current_state(folder, manifest_or_failed(folder), SlurmQueue([folder]))


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize("status", ["finished", "pruned"])
def test_an_end_is_an_end_without_asking_slurm(status: str, tmp_path: Path, slurm: FakeSlurm) -> None:
    assert of(make_run(tmp_path / "a", status=status, job=SLURM)) == CurrentState(state=State(status), over=True)
    assert slurm.calls() == []


def test_a_held_folder_runs_whatever_it_says(tmp_path: Path) -> None:
    for status in ("running", "interrupted", "failed"):
        folder = make_run(tmp_path / status, status=status, last_error="RuntimeError: before")
        with held(folder):
            assert of(folder) == CurrentState(state=State.running)


def test_ended_by_itself_or_asked_to(tmp_path: Path) -> None:
    assert of(make_run(tmp_path / "a", status="interrupted")) == CurrentState(state=State.interrupted, over=True)
    failed = make_run(tmp_path / "b", status="failed", last_error="RuntimeError: boom")
    assert of(failed) == CurrentState(state=State.failed, note="RuntimeError: boom", over=True)


def test_killed_on_this_machine_is_lost(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running", host=socket.gethostname(), pid=dead_pid())
    (folder / ".lock").touch()
    assert of(folder) == CurrentState(state=State.lost, note=KILLED, over=True)


def test_a_living_process_without_a_lock_runs(tmp_path: Path) -> None:
    """A file system without locks."""
    folder = make_run(tmp_path / "a", status="running", host=socket.gethostname(), pid=os.getpid())
    assert of(folder).state is State.running


def test_another_machine_is_believed_for_a_while(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a", status="running")
    assert of(folder) == CurrentState(state=State.running)
    age(folder, 14 * 60)
    assert of(folder).state is State.running
    age(folder, 2 * 60)
    assert of(folder) == CurrentState(state=State.lost, note=KILLED, over=True)


@pytest.mark.parametrize(
    ("status", "line", "expected"),
    [
        (None, "41|3|PENDING|N/A|Priority", CurrentState(state=State.queued, note="Priority")),
        (None, f"41|3|RUNNING|{LATER}|None", CurrentState(state=State.running, note="starting")),
        ("running", f"41|3|RUNNING|{LATER}|None", CurrentState(state=State.running)),
        ("running", "41|3|PENDING|N/A|BeginTime", CurrentState(state=State.preempted, note="BeginTime")),
        ("interrupted", "41|3|PENDING|N/A|BeginTime", CurrentState(state=State.preempted, note="BeginTime")),
        ("interrupted", "41|3|REQUEUED|N/A|None", CurrentState(state=State.preempted)),
        ("interrupted", f"41|3|RUNNING|{LATER}|None", CurrentState(state=State.running)),
        ("interrupted", "41|3|RUNNING|2026-01-02T03:00:00|None", CurrentState(state=State.interrupted)),
        ("interrupted", f"41|3|COMPLETING|{LATER}|None", CurrentState(state=State.interrupted)),
        ("failed", "41|3|PENDING|N/A|None", CurrentState(state=State.queued, note="retry after: RuntimeError: x")),
        ("failed", f"41|3|RUNNING|{LATER}|None", CurrentState(state=State.running)),
        ("failed", "41|3|RUNNING|2026-01-02T03:00:00|None", CurrentState(state=State.failed, note="RuntimeError: x")),
    ],
)  # fmt: skip
def test_in_slurms_queue(
    status: str | None, line: str, expected: CurrentState, tmp_path: Path, slurm: FakeSlurm
) -> None:
    fields: dict[str, Any] = dict(STOPPED) if status in ("interrupted", "failed") else {}
    if status == "failed":
        fields["last_error"] = "RuntimeError: x"
    slurm.queue(f"40|N/A|RUNNING|{LATER}|None\n{line}\n")
    assert of(make_run(tmp_path / "a", status=status, job=SLURM, **fields)) == expected


def test_gone_from_slurm_before_it_began(tmp_path: Path, slurm: FakeSlurm) -> None:
    folder = make_run(tmp_path / "a", status=None, job=SLURM)
    (folder / "log.txt").write_text(
        "Traceback (most recent call last):\nModuleNotFoundError: No module 'x'\nsrun: bye\n"
    )
    assert of(folder) == CurrentState(state=State.failed, note="ModuleNotFoundError: No module 'x'", over=True)
    slurm.ended("JobId=44 ArrayJobId=41 ArrayTaskId=3 JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0\n")
    assert of(folder).note == "FAILED, exit code 1: ModuleNotFoundError: No module 'x'"


def test_killed_by_slurm_says_why(tmp_path: Path, slurm: FakeSlurm) -> None:
    slurm.ended(
        "JobId=41 ArrayJobId=41 ArrayTaskId=2 JobState=COMPLETED Reason=None ExitCode=0:0\n"
        "JobId=44 ArrayJobId=41 ArrayTaskId=3 JobState=TIMEOUT Reason=TimeLimit ExitCode=0:0\n"
    )
    folder = make_run(tmp_path / "a", status="running", job=SLURM)
    assert of(folder) == CurrentState(state=State.lost, note=f"TIMEOUT; {KILLED}", over=True)


def test_out_of_memory_is_a_failure_with_its_last_error(tmp_path: Path, slurm: FakeSlurm) -> None:
    slurm.ended("JobId=44 ArrayJobId=41 ArrayTaskId=3 JobState=OUT_OF_MEMORY Reason=OutOfMemory ExitCode=0:125\n")
    folder = make_run(tmp_path / "a", status="running", job=SLURM)
    (folder / "log.txt").write_text("step 7\nslurmstepd: error: Detected 1 oom_kill event\n")
    told = "OUT_OF_MEMORY: slurmstepd: error: Detected 1 oom_kill event"
    assert of(folder) == CurrentState(state=State.failed, note=told, over=True)


def crashed_rank(folder: Path, *, started: str) -> Path:
    """A run whose second rank failed at half past three, and with it the first, which noted no end."""
    make_run(folder, status="running", job=SLURM, sessions=[{"started": started, "stopped": None}])
    (folder / "log.txt").write_text("step 7\nsrun: error: n1: task 1: Exited with exit code 1\n")
    (folder / "log-rank1.txt").write_text("RuntimeError: the disk is gone\n")
    (folder / "crashes.txt").write_text(
        "2026-01-02T01:00:00Z ended with code 1 on n1\n2026-01-02T03:30:00Z ended with code 1 on n1\n"
    )
    return folder


def test_a_crash_that_noted_no_end_is_tried_again_and_then_has_failed(tmp_path: Path, slurm: FakeSlurm) -> None:
    folder = crashed_rank(tmp_path / "a", started="2026-01-02T03:00:00+00:00")
    slurm.queue("41|3|PENDING|N/A|BeginTime\n")
    again = CurrentState(state=State.queued, note="retry after: rank 1: RuntimeError: the disk is gone")
    assert of(folder) == again
    before = make_run(tmp_path / "b", status=None, job=SLURM)
    assert of(before) == CurrentState(state=State.queued, note="BeginTime")
    for name in ("log.txt", "log-rank1.txt", "crashes.txt"):
        (before / name).write_text((folder / name).read_text())
    assert of(before) == again
    slurm.queue("")
    failed = CurrentState(state=State.failed, note="rank 1: RuntimeError: the disk is gone", over=True)
    assert of(folder) == failed  # SLURM has forgotten it
    slurm.ended("JobId=44 ArrayJobId=41 ArrayTaskId=3 JobState=FAILED Reason=NonZeroExitCode ExitCode=1:0\n")
    assert of(folder) == replace(failed, note=f"FAILED, exit code 1: {failed.note}")


def test_a_crash_before_the_latest_session_is_past(tmp_path: Path, slurm: FakeSlurm) -> None:
    folder = crashed_rank(tmp_path / "a", started="2026-01-02T03:31:00+00:00")
    slurm.queue("41|3|PENDING|N/A|BeginTime\n")
    assert of(folder) == CurrentState(state=State.preempted, note="BeginTime")
    slurm.queue("")
    assert of(folder).state is State.lost


@pytest.mark.parametrize("status", ["finished", "pruned"])
def test_a_run_that_goes_on_after_its_end_waits_in_the_queue(status: str, tmp_path: Path, slurm: FakeSlurm) -> None:
    anew = SLURM | {"submitted": "2026-01-02T03:40:00+00:00"}
    folder = make_run(tmp_path / "a", status=status, job=anew, last_error="of an earlier session", **STOPPED)
    slurm.queue("41|3|PENDING|N/A|Priority\n")
    assert of(folder) == CurrentState(state=State.queued, note="Priority")
    slurm.queue(f"41|3|RUNNING|{LATER}|None\n")
    assert of(folder).state is State.running
    slurm.queue("")
    assert of(folder) == CurrentState(state=State(status), over=True)


def test_a_local_job_that_goes_on_with_a_run_is_starting(tmp_path: Path) -> None:
    anew = {"launcher": "process", "job": str(os.getpid()), "submitted": "2026-01-02T03:40:00+00:00"}
    for status in ("finished", "interrupted"):
        folder = make_run(tmp_path / status, status=status, job=anew, **STOPPED)
        assert of(folder) == CurrentState(state=State.running, note="starting")
        make_run(folder, job=anew | {"job": str(dead_pid())}, status=status, **STOPPED)
        assert of(folder) == CurrentState(state=State(status), over=True)


def test_a_run_that_ends_between_two_looks_is_not_lost(tmp_path: Path, slurm: FakeSlurm) -> None:
    folder = make_run(tmp_path / "a", status="running", host=socket.gethostname(), pid=dead_pid())
    on_slurm = make_run(tmp_path / "b", status="running", job=SLURM)
    for run in (folder, on_slurm):
        read = manifest_or_failed(run)
        make_run(run)
        assert current_state(run, read, SlurmQueue([run])) == CurrentState(state=State.finished, over=True)


def test_slurm_is_asked_once_for_all(tmp_path: Path, slurm: FakeSlurm) -> None:
    slurm.queue("41|0|PENDING|N/A|Priority\n50|N/A|PENDING|N/A|Resources\n")
    folders = [make_run(tmp_path / f"{i}", status=None, job=SLURM | {"task": i}) for i in range(6)]
    folders.append(make_run(tmp_path / "single", status=None, job={"launcher": "slurm", "job": "50"}))
    queue = SlurmQueue(folders)
    states = [current_state(folder, manifest_or_failed(folder), queue).state.value for folder in folders]
    assert states == ["queued", *["failed"] * 5, "queued"]
    squeue, scontrol = slurm.calls()
    assert squeue == f"squeue -h -r -u {os.getuid()} -o %F|%K|%T|%S|%r"
    assert scontrol == "scontrol -o show job 41"
    queue.refresh(folders)
    for folder in folders:
        current_state(folder, manifest_or_failed(folder), queue)
    assert [call.split()[0] for call in slurm.calls()] == ["squeue", "scontrol", "squeue"]


def test_slurm_that_does_not_answer(tmp_path: Path, slurm: FakeSlurm) -> None:
    slurm.break_squeue()
    assert of(make_run(tmp_path / "a", status=None, job=SLURM)).state is State.queued
    assert of(make_run(tmp_path / "b", status="running", job=SLURM)).state is State.running
    assert of(make_run(tmp_path / "c", status="interrupted", job=SLURM)).state is State.interrupted


def test_a_local_job_before_its_run_json(tmp_path: Path) -> None:
    alive = make_run(tmp_path / "a", status=None, job={"launcher": "process", "job": str(os.getpid())})
    assert of(alive) == CurrentState(state=State.running, note="starting")
    dead = make_run(tmp_path / "b", status=None, job={"launcher": "process", "job": str(dead_pid())})
    assert of(dead) == CurrentState(state=State.failed, note="ended before it printed anything", over=True)


def test_a_damaged_manifest_is_told(tmp_path: Path) -> None:
    (make_run(tmp_path / "a") / "run.json").write_text("{")
    assert of(tmp_path / "a").state is State.failed
    assert of(tmp_path / "a").note.startswith("run.json cannot be read")


@pytest.mark.parametrize(
    ("log", "expected"),
    [
        ("a\nValueError: x\n  more\nsrun: error: n1: task 0: Exited with exit code 1\n", "ValueError: x"),
        ("[rank1]: torch.cuda.OutOfMemoryError: 2 GiB\nKilled\n", "[rank1]: torch.cuda.OutOfMemoryError: 2 GiB"),
        ("step 1\nKilled\nbye\n", "Killed"),
        ("step 1\nslurmstepd: error: Detected 1 oom_kill event\nbye\n", "slurmstepd: error: Detected 1 oom_kill event"),
        ("sslrun: error: run.dir=x is in use\n", "sslrun: error: run.dir=x is in use"),
        ("one\ntwo\n\n", "two"),
        ("", "ended before it printed anything"),
    ],
)
def test_the_line_that_tells_of_an_error(log: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / "log.txt").write_text(log)
    assert last_error(tmp_path / "log.txt") == expected
