"""Where a signal raises, where it is noted, and who is told."""

import os
import signal
from collections.abc import Iterator

import pytest

from sslrun.runs import signals
from sslrun.runs.signals import Interrupted

ASKED = signal.SIGUSR1


@pytest.fixture(autouse=True)
def _handlers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The test's own; those of the test runner are back afterwards."""
    former = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    monkeypatch.setattr(signals, "_received", None)
    signals.install()
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


def test_it_is_noted_until_work_begins_that_can_be_left() -> None:
    signal.raise_signal(ASKED)
    assert signals.received() is ASKED
    with pytest.raises(Interrupted, match=r"^SIGUSR1$"), signals.raising():
        pytest.fail("work has begun")


def test_it_raises_at_once_in_such_work_and_only_once() -> None:
    with signals.raising():
        with pytest.raises(Interrupted, match=r"^SIGTERM$"):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(ASKED)  # as SLURM does at the end of the grace time
    assert signals.received() is signal.SIGTERM
    assert not issubclass(Interrupted, Exception)  # `except Exception` is for errors


def test_a_loop_that_looks_by_itself_is_left_only_afterwards() -> None:
    with signals.raising():
        with signals.noting():
            signal.raise_signal(ASKED)
            signals.check()
            assert signals.received() is ASKED
        with pytest.raises(Interrupted):
            signals.check()


def test_nothing_is_cut_off_any_more_once_results_are_written() -> None:
    with signals.raising():
        signals.note_only()
        signal.raise_signal(ASKED)
        signals.check()
    assert signals.received() is ASKED


def test_further_ranks_end_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    with signals.raising():
        signal.raise_signal(ASKED)
        signals.check()
    assert signals.received() is ASKED


def test_a_forked_worker_only_notes() -> None:
    with signals.raising():
        if (worker := os.fork()) == 0:
            try:
                signal.raise_signal(ASKED)
            except BaseException:
                os._exit(1)
            os._exit(0)
        assert os.waitpid(worker, 0)[1] == 0


def test_a_second_ctrl_c_interrupts_a_loop() -> None:
    signals.install_interrupt()
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
