"""A process of a run that dies takes the others with it, and is named."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pytorch_lightning.strategies.launchers import subprocess_script

from sslrun.config.errors import RunError, TrainingError
from sslrun.runs.rank_errors import write_error
from sslrun.runs.signals import Interrupted
from sslrun.training import ranks as module
from sslrun.training.pruning import Pruned
from sslrun.training.ranks import Ranks

LIVES = "import time; time.sleep(60)"


def watched(folder: Path, *codes: str) -> tuple[Ranks, list["subprocess.Popen[bytes]"]]:
    """The callback at the start of a training with a child process for each line of Python."""
    children = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    ranks = Ranks(folder, print)
    ranks.watch(children)
    return ranks, children


def fail(ranks: Ranks, error: BaseException) -> None:
    ranks.on_exception(None, None, error)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("raise SystemExit(3)", "rank 2 ended with code 3; see its own message above"),
        ("import os; os.kill(os.getpid(), 9)", "rank 2 was killed by signal 9; rerun the same command to resume from"),
    ],
)
def test_the_rank_that_was_the_cause_is_named_and_the_others_end(tmp_path: Path, code: str, how: str) -> None:
    ranks, children = watched(tmp_path, LIVES, code)
    children[1].wait(30)
    fail(ranks, RuntimeError("Connection closed by peer"))
    assert ranks.cause is not None and ranks.cause.startswith(how)
    assert children[0].wait(30) == -9


def test_the_message_of_the_rank_that_failed_is_the_cause(tmp_path: Path) -> None:
    ranks, children = watched(tmp_path, LIVES)
    write_error(tmp_path, 1, RunError("its disk is full"))
    fail(ranks, RuntimeError("Connection closed by peer"))
    assert ranks.cause == "rank 1: its disk is full"
    assert children[0].wait(30) == -9 and list(tmp_path.iterdir()) == []


def test_an_error_of_its_own_is_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_FOR_CAUSE", 0.1)
    for error in (TrainingError("the loss is nan"), ValueError("a fault of ours")):
        ranks, children = watched(tmp_path, LIVES)
        fail(ranks, error)
        assert ranks.cause is None and children[0].wait(30) == -9


@pytest.mark.parametrize("asked", [Interrupted("SIGTERM"), Pruned("behind")])
def test_a_stop_that_was_asked_for_lets_all_leave_by_themselves(tmp_path: Path, asked: BaseException) -> None:
    ranks, children = watched(tmp_path, "input()")
    fail(ranks, asked)
    try:
        assert children[0].poll() is None and ranks.cause is None
    finally:
        children[0].kill()
        children[0].wait()


def test_ranks_that_end_well_are_no_cause(tmp_path: Path) -> None:
    ranks, children = watched(tmp_path, "pass")
    children[0].wait(30)
    ranks.teardown(None, None, "fit")  # type: ignore[arg-type]
    assert ranks.failed() is None


def test_a_process_that_hangs_notes_the_cause_and_is_ended_with_the_others(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    told, tell = os.pipe()
    if (process := os.fork()) == 0:
        codes = ("import os; os.kill(os.getpid(), 9)", LIVES)
        children = [subprocess.Popen([sys.executable, "-c", code], pass_fds=[tell]) for code in codes]
        Ranks(tmp_path, (tmp_path / "noted").write_text, grace_seconds=0.1).watch(children)
        time.sleep(60)  # a collective that nobody answers
        os._exit(0)
    os.close(tell)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 2
    line = "rank 1 was killed by signal 9; rerun the same command to resume from the last checkpoint"
    assert capfd.readouterr().err == f"sslrun: error: {line}\n" and (tmp_path / "noted").read_text() == line
    assert os.read(told, 1) == b""  # nobody holds the other end any more
    os.close(told)


def test_lightnings_observer_is_replaced_while_processes_are_started(tmp_path: Path) -> None:
    """Under a release that calls it otherwise, its observer would kill a run that still notes what happened."""
    theirs = subprocess_script._launch_process_observer
    ranks = Ranks(tmp_path, print)
    with ranks.observing():
        assert subprocess_script._launch_process_observer == ranks.watch
    assert subprocess_script._launch_process_observer is theirs


def test_nothing_is_watched_where_there_is_one_process(tmp_path: Path) -> None:
    ranks = Ranks(tmp_path, print)
    ranks.on_train_start(SimpleNamespace(strategy=SimpleNamespace(launcher=None)), None)  # type: ignore[arg-type]
    assert ranks.failed() is None
    fail(ranks, ValueError("a fault of ours"))
    assert ranks.cause is None


def test_the_watch_begins_where_lightning_starts_processes(tmp_path: Path) -> None:
    """One that dies before all have met is not waited for."""
    seen: list[Any] = []
    ranks = Ranks(tmp_path, print)
    ranks.watch = seen.append  # type: ignore[method-assign]
    launcher = subprocess_script._SubprocessScriptLauncher(
        SimpleNamespace(validate_settings=lambda **_: None, creates_processes_externally=False),
        2,
        1,  # type: ignore[arg-type]
    )
    launcher._call_children_scripts = lambda: launcher.procs.append("child")  # type: ignore[method-assign,arg-type]
    with ranks.observing():
        launcher.launch(lambda: None)
    assert seen == [["child"]]
