"""How a command ends: first run.json and the queue, then what may take long."""

import hashlib
import os
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from runfolders import FakeSlurm
from sslrun.commands import ending
from sslrun.commands.session import Session
from sslrun.config.compose import compose
from sslrun.config.errors import DataError
from sslrun.runs.manifest import read_manifest
from sslrun.runs.rank_errors import first_error
from sslrun.runs.signals import Interrupted
from sslrun.training import loggers
from sslrun.training.loggers import finish_wandb

PREEMPTED = "JobState=RUNNING BatchFlag=1 Requeue=1 PreemptTime=2026-01-02T03:04:05"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """This process is job 7, which is being preempted."""
    fake = FakeSlurm(tmp_path / "slurm")
    fake.ended(PREEMPTED)
    monkeypatch.setenv("PATH", f"{fake.bin}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    return fake


def session(folder: Path) -> Session:
    return Session("pretrain", compose("pretrain", [f"run.dir={folder}"]))


def raising(error: BaseException) -> Any:
    """A module of commands whose `run` raises it."""

    def run(config: Any) -> None:
        raise error

    return SimpleNamespace(run=run)


@pytest.mark.parametrize(("error", "code"), [(Interrupted("SIGTERM"), 3), (DataError("no images"), None)])
def test_wandb_is_ended_behind_the_note_and_the_requeue(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int | None
) -> None:
    seen: list[Any] = []

    def finish(*, exit_code: int) -> None:
        seen.append((read_manifest(tmp_path / "run")["status"], exit_code, "scontrol requeue 7" in slurm.calls()))

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=SimpleNamespace(dir=""), finish=finish))
    with pytest.raises(SystemExit if code else DataError) as left, session(tmp_path / "run").open() as run:
        run.add_end_callback(finish_wandb)
        raise error
    assert seen == [("interrupted", 1, True) if code else ("failed", 1, False)]
    assert getattr(left.value, "code", None) == code


def test_after_a_signal_nothing_that_is_slow_to_send_holds_the_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run = SimpleNamespace(dir="/runs/a/wandb/offline-run-1/files")
    slow = SimpleNamespace(run=run, finish=lambda exit_code: time.sleep(600))
    monkeypatch.setitem(sys.modules, "wandb", slow)
    monkeypatch.setattr(loggers, "SECONDS_TO_SEND", 0.1)
    if (process := os.fork()) == 0:
        finish_wandb(Interrupted("SIGTERM"))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 3
    assert capfd.readouterr().err.endswith(" s; to finish it: wandb sync /runs/a/wandb/offline-run-1\n")


def test_a_run_that_ended_well_is_not_failed_by_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    def finish(*, exit_code: int) -> None:
        raise ConnectionError("no route to host")

    monkeypatch.setitem(sys.modules, "wandb", SimpleNamespace(run=SimpleNamespace(dir=""), finish=finish))
    with pytest.warns(UserWarning, match="wandb did not end: no route to host"):
        finish_wandb(None)


def test_the_id_at_wandb_is_the_runs_own_and_kept(tmp_path: Path) -> None:
    ids = []
    for folder in ("a", "a", "moved", "a"):  # the last one is made anew where another was
        if folder == "moved":
            (tmp_path / "a").rename(tmp_path / "moved")
        with pytest.raises(SystemExit), session(tmp_path / folder).open() as run:
            ids.append(run.wandb_id)
            raise Interrupted("SIGTERM")
    assert ids[0] == ids[1] == ids[2] != ids[3]
    fork = Session("pretrain", compose("pretrain", [f"run.dir={tmp_path / 'a'}", "seed=7", "run.on_change=fork"]))
    with fork.open() as run:
        assert run.path.name == "a-fork1" and run.wandb_id not in ids


def test_older_folders_keep_the_id_that_their_path_gives(tmp_path: Path) -> None:
    assert session(tmp_path / "a").wandb_id == hashlib.sha1(str(tmp_path / "a").encode()).hexdigest()[:12]


def test_outside_of_a_session_too_a_preempted_job_comes_back(
    tmp_path: Path, slurm: FakeSlurm, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "sslrun.commands.preview", raising(Interrupted("SIGTERM")))
    with pytest.raises(SystemExit) as left:
        ending.run_command("preview", compose("preview", [f"run.dir={tmp_path / 'run'}"]))
    assert left.value.code == 3 and "scontrol requeue 7" in slurm.calls()
    assert capsys.readouterr().err == "\nstopped (SIGTERM); it is in the queue again\n"


@pytest.mark.parametrize(
    ("error", "told"),
    [(DataError("no  images"), "no images"), (ValueError("bad"), "ValueError: bad"), (KeyError(), "KeyError")],
)
def test_a_further_rank_leaves_what_it_died_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "2")
    monkeypatch.setitem(sys.modules, "sslrun.commands.preview", raising(error))
    with pytest.raises(type(error)):
        ending.run_command("preview", compose("preview", [f"run.dir={tmp_path}"]))
    assert first_error(tmp_path, range(1, 4)) == f"rank 2: {told}"


def test_the_rank_that_failed_first_is_the_cause(tmp_path: Path) -> None:
    assert first_error(tmp_path, range(1, 4)) is None
    for rank, moment in ((1, 20), (2, 10), (3, 30)):
        path = tmp_path / f".error-rank{rank}.tmp"
        path.write_text(f"error of {rank}")
        os.utime(path, (moment, moment))
    assert first_error(tmp_path, range(1, 4)) == "rank 2: error of 2"
