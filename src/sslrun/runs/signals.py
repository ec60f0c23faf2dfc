"""Signals only set a flag, read at the next optimizer-step boundary: checkpoint, then leave.

`install` runs on the command line's first line, before torch is imported: a signal that came earlier than its handler
would kill the process. A second Ctrl-C interrupts at once.
"""

import signal
from types import FrameType

_received: signal.Signals | None = None


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


def clear() -> None:
    """Forget what was noted: the next run of a sweep starts afresh."""
    global _received
    _received = None


def _note(number: int, _frame: FrameType | None) -> None:
    global _received
    if number == signal.SIGINT and _received is signal.SIGINT:
        raise KeyboardInterrupt
    _received = _received or signal.Signals(number)
