"""Runs in forked children of a process that has imported everything: a start costs a fraction of a second."""

import functools
import importlib
import itertools
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import sslrun.commands.finetune
import sslrun.commands.pretrain
import sslrun.commands.resume  # noqa: F401
from sslrun import cli

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

    def poll(self) -> int | None:
        """Exit code, None while it runs; asked again after the end, it raises ChildProcessError."""
        ended, status = os.waitpid(self.pid, os.WNOHANG)
        return os.waitstatus_to_exitcode(status) if ended else None

    def send(self, number: signal.Signals) -> int:
        """Its exit code after the signal."""
        os.kill(self.pid, number)
        return self.wait()

    def kill_after(self, seconds: float) -> int:
        """kill -9 after a time, or sooner its own end."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if (code := self.poll()) is not None:
                return code
            time.sleep(0.002)
        return self.send(signal.SIGKILL)

    def wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait while it runs."""
        deadline = time.monotonic() + 600
        while not reached():
            assert self.poll() is None, f"the run ended before it could be stopped: {self.log.read_text()}"
            assert time.monotonic() < deadline
            time.sleep(0.002)


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


def signal_at(place: str, *, call: int = 1, number: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """In the child: the signal comes at the start of the n-th call of `module:function` or `module:Class.method`."""

    def arrange() -> None:
        module, _, path = place.partition(":")
        *owners, name = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        function, calls = getattr(owner, name), itertools.count(1)

        def stopped(*arguments: Any, **options: Any) -> Any:
            if next(calls) == call:
                os.kill(os.getpid(), number)
            return function(*arguments, **options)

        setattr(owner, name, stopped)

    return arrange
