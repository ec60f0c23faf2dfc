"""Signals that ask a process to stop, which can then be continued.

Where work can be left at any time they raise `Interrupted`, and where it can be left only at certain places, as a
training loop between two optimizer steps, they are noted and looked at there.

`install` runs on the command line's first line, before torch is imported: a signal that came earlier than its handler
would kill the process. A second Ctrl-C interrupts at once.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from sslrun.runs.rank import global_rank

EXIT_CODE = 3
"""Of a process that was asked to stop, and can be continued."""
_received: signal.Signals | None = None
_raises = False


class Interrupted(BaseException):
    """The process was asked to stop. Like KeyboardInterrupt not an Exception: error handlers must let it pass."""


def install() -> None:
    """Note SIGTERM and SIGUSR1 (what clusters send) from now on."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _note)


def uninstall() -> None:
    """SIGTERM and SIGUSR1 end the process again, in one that trains nothing itself."""
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)


def install_interrupt() -> None:
    """Note SIGINT too; only while a training loop runs, so that Ctrl-C elsewhere ends the program as ever."""
    signal.signal(signal.SIGINT, _note)


def restore_interrupt() -> None:
    """Ctrl-C raises KeyboardInterrupt again."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def received() -> signal.Signals | None:
    """The first signal noted, or None."""
    return _received


@contextmanager
def raising() -> Iterator[None]:
    """Within, the first signal raises Interrupted in the main thread, and one that was noted before does so now.

    Further ranks only note: they end with the first, which tells the exit code.
    """
    with _set(raises=global_rank() == 0):
        check()
        yield


@contextmanager
def noting() -> Iterator[None]:
    """Within, signals are only noted, for who looks at `received`; `check` afterwards."""
    with _set(raises=False):
        yield


def note_only() -> None:
    """From here on nothing may be cut off any more: `raising` is over."""
    global _raises
    _raises = False


def check() -> None:
    """Raise Interrupted for a signal that was noted, where signals raise."""
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


os.register_at_fork(after_in_child=note_only)  # loader workers get a cluster's signals too, and end with their parent
