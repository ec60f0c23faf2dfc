"""Signals that ask a process to stop, so that the run can be continued later.

They raise `Interrupted` where work can stop at any time. Where it can stop only at certain points, as a training loop
between optimizer steps, they are recorded, and the loop checks for them.

`install` is the first thing that the command line does, before importing torch: without a handler a signal would kill
the process. A second Ctrl-C interrupts immediately.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sslrun.runs.rank import global_rank

EXIT_CODE = 3
"""Of a process that stopped on request and can be continued."""
_received: signal.Signals | None = None
_raises = False


class Interrupted(BaseException):
    """The process was asked to stop. Like KeyboardInterrupt no Exception, so that error handlers do not catch it."""


def install() -> None:
    """Record SIGTERM and SIGUSR1, which clusters send, from now on."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _note)


def uninstall() -> None:
    """Restore the default of SIGTERM and SIGUSR1, which ends the process; for processes that do not train."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)


def install_interrupt() -> None:
    """Record SIGINT too, while a training loop runs; elsewhere Ctrl-C ends the program as usual."""
    signal.signal(signal.SIGINT, _note)


def restore_interrupt() -> None:
    """Restore KeyboardInterrupt on Ctrl-C."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def received() -> signal.Signals | None:
    """The first recorded signal, or None."""
    return _received


@contextmanager
def raising() -> Iterator[None]:
    """Within, the first signal raises Interrupted in the main thread; one recorded earlier raises immediately.

    Ranks above 0 only record: they end with rank 0, which determines the exit code.
    """
    with _set(raises=global_rank() == 0):
        check()
        yield


@contextmanager
def noting() -> Iterator[None]:
    """Within, signals are only recorded, to be read from `received`; call `check` afterwards."""
    with _set(raises=False):
        yield


def note_only() -> None:
    """Stop raising for the rest of the process: from here on nothing may be interrupted."""
    global _raises
    _raises = False


def check() -> None:
    """Raise Interrupted for a recorded signal, within `raising`."""
    if _raises and _received is not None:
        raise Interrupted(_received.name)


@contextmanager
def _set(*, raises: bool) -> Iterator[None]:
    global _raises
    before, _raises = _raises, raises
    try:
        yield
    finally:
        _raises = before


def _note(number: int, _frame: FrameType | None) -> None:
    global _received
    if number == signal.SIGINT and _received is signal.SIGINT:
        raise KeyboardInterrupt
    if _received is None:
        _received = signal.Signals(number)
        check()


os.register_at_fork(after_in_child=note_only)  # loader workers get the signals too, and end with their parent
