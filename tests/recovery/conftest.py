"""Runs in forked children of a process that has imported everything: a start costs a fraction of a second."""

import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import sslrun.commands.finetune
import sslrun.commands.pretrain
import sslrun.commands.resume  # noqa: F401
from sslrun import cli
from sslrun.config.registry import load_all
from sslrun.data.build import build_data

KILLED = -int(signal.SIGKILL)


class Child:
    """`sslrun <arguments>` in a forked process; what it prints goes to `log`."""

    def __init__(self, arguments: list[str], log: Path, *, before: Callable[[], None] | None = None) -> None:
        self.log = log
        self.pid = os.fork()
        if self.pid == 0:
            os._exit(_run(arguments, log, before))

    def wait(self) -> int:
        """Exit code; negative after a signal."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def kill_after(self, seconds: float) -> int:
        """kill -9 after a time, or sooner its own end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            ended, status = os.waitpid(self.pid, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.002)
        os.kill(self.pid, signal.SIGKILL)
        return self.wait()


def _run(arguments: list[str], log: Path, before: Callable[[], None] | None) -> int:
    """In the child: its own output, its own arguments; returns the exit code."""
    output = log.open("a")
    os.dup2(output.fileno(), 1)
    os.dup2(output.fileno(), 2)
    sys.stdout = sys.stderr = output
    sys.argv = ["sslrun", *arguments]
    try:
        if before is not None:
            before()
        cli.main()
    except SystemExit as error:
        return int(error.code or 0)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        output.flush()
    return 0


class Runner:
    """Starts children and counts them."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def start(self, *arguments: str, before: Callable[[], None] | None = None) -> Child:
        """A child that runs."""
        return Child(list(arguments), self.log, before=before)

    def run(self, *arguments: str, code: int = 0, before: Callable[[], None] | None = None) -> str:
        """What a whole run printed; it must end with `code`."""
        at = self.log.stat().st_size if self.log.exists() else 0
        ended = self.start(*arguments, before=before).wait()
        printed = self.log.read_text()[at:]
        assert ended == code, printed
        return printed


@pytest.fixture(scope="session", autouse=True)
def _warm() -> None:
    """What a first run would import and compute, once for all children."""
    load_all()
    from sslrun.config.compose import compose

    build_data(compose("pretrain").dataset)  # type: ignore[attr-defined]
    assert torch.get_num_threads() == 1  # a fork beside threads could hang


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """Children whose output lies in one file."""
    return Runner(tmp_path / "output.txt")
