"""Locks: where there are none, and whose they were."""

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sslrun.core.locks import LockedError, is_locked, signer_is_dead, take_lock


def answer(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that says this to whoever asks for a lock."""

    def flock(_file: object, _operation: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", flock)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP])
def test_without_locks_work_goes_on_and_one_line_says_so(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(number, monkeypatch)
    with take_lock(tmp_path / ".lock"):
        assert not is_locked(tmp_path / ".lock")
        assert (tmp_path / ".lock").read_text().startswith(f"process {os.getpid()} on ")
    warning = f"{tmp_path}: no locks on this file system ({os.strerror(number)}); run only one process there\n"
    assert capsys.readouterr().err == warning


def test_another_error_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(errno.EIO, monkeypatch)
    for use in (take_lock, is_locked):
        (tmp_path / ".lock").touch()
        with pytest.raises(OSError, match="Input/output error"):
            use(tmp_path / ".lock")


def test_a_lock_that_is_taken_unsigned_keeps_who_had_it(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    path.write_text("process 1 on n1")
    with take_lock(path, sign=False):
        assert is_locked(path)
        with pytest.raises(LockedError, match="process 1 on n1"):
            take_lock(path)
    assert path.read_text() == "process 1 on n1"


def test_a_signer_is_dead_where_that_can_be_seen(tmp_path: Path) -> None:
    path = tmp_path / ".lock"
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    here = os.uname().nodename
    for text, dead in (
        (f"process {process.pid} on {here}", True),
        (f"process {os.getpid()} on {here}", False),
        (f"process {process.pid} on elsewhere", False),
        ("", False),
    ):
        path.write_text(text)
        assert signer_is_dead(path) is dead
