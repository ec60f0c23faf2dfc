"""A process of a run that dies takes the others with it, and is named."""

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from sslrun.training.ranks import Ranks

HANGS = """
import subprocess, sys, time
from types import SimpleNamespace
from sslrun.training.ranks import Ranks

child = subprocess.Popen([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"])
launcher = SimpleNamespace(procs=[child])
Ranks(grace_seconds=0.1).on_train_start(SimpleNamespace(strategy=SimpleNamespace(launcher=launcher)), None)
time.sleep(60)  # a collective that nobody answers
"""


def watched(*codes: str) -> tuple[Ranks, Any, list["subprocess.Popen[bytes]"]]:
    """The callback at the start of a training with a child process for each line of Python."""
    children = [subprocess.Popen([sys.executable, "-c", code]) for code in codes]
    trainer = SimpleNamespace(strategy=SimpleNamespace(launcher=SimpleNamespace(procs=children)))
    ranks = Ranks()
    ranks.on_train_start(trainer, None)  # type: ignore[arg-type]
    return ranks, trainer, children


@pytest.mark.parametrize(
    ("code", "how"),
    [
        ("raise SystemExit(3)", "rank 2 ended with code 3"),
        ("import os; os.kill(os.getpid(), 9)", "rank 2 was killed by signal 9"),
    ],
)
def test_the_error_names_the_rank_that_was_the_cause(code: str, how: str) -> None:
    ranks, trainer, children = watched("import time; time.sleep(60)", code)
    error = RuntimeError("Connection closed by peer")
    try:
        children[1].wait(30)
        ranks.on_exception(trainer, None, error)  # type: ignore[arg-type]
    finally:
        children[0].kill()
        children[0].wait()
    assert error.__notes__ == [f"{how}; its own message stands before"]


def test_ranks_that_end_well_are_no_cause() -> None:
    ranks, trainer, children = watched("pass")
    children[0].wait(30)
    ranks.on_train_end(trainer, None)  # type: ignore[arg-type]
    assert ranks.failed() is None


def test_a_process_that_hangs_is_ended() -> None:
    done = subprocess.run([sys.executable, "-c", HANGS], capture_output=True, text=True, timeout=50)
    assert done.returncode == 1
    assert "error: rank 1 was killed by signal 9" in done.stderr


def test_nothing_is_watched_where_there_is_one_process() -> None:
    ranks = Ranks()
    ranks.on_train_start(SimpleNamespace(strategy=SimpleNamespace(launcher=None)), None)  # type: ignore[arg-type]
    assert ranks.failed() is None
