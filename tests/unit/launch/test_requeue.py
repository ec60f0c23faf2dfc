"""When a job of SLURM's asks to come back."""

from pathlib import Path

import pytest

from sslrun.launch.requeue import requeue
from unit.launch.fakes import fake, noted

FACTS = "JobState={state} BatchFlag={batch} Requeue={again} PreemptTime={preempted}"


@pytest.fixture
def _in_a_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "8")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")


@pytest.mark.usefixtures("_in_a_job")
@pytest.mark.parametrize(
    ("signal_name", "changed", "comes_back"),
    [
        ("SIGUSR1", {}, True),
        ("SIGTERM", {"preempted": "2026-01-01T00:00:00"}, True),
        ("SIGTERM", {}, False),  # scancel
        ("SIGUSR1", {"state": "COMPLETING"}, False),
        ("SIGUSR1", {"batch": "0"}, False),  # typed into an allocation
        ("SIGUSR1", {"again": "0"}, False),
        ("SIGINT", {}, False),
        ("trainer.max_time is over", {}, False),
    ],
)
def test_when_a_job_asks_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal_name: str, changed: dict[str, str], comes_back: bool
) -> None:
    facts = FACTS.format(**{"state": "RUNNING", "batch": "1", "again": "1", "preempted": "None"} | changed)
    calls = fake(tmp_path, monkeypatch, scontrol=f"echo '{facts}'")
    assert requeue(signal_name) is comes_back
    assert ("scontrol requeue 8_3" in noted(calls, "scontrol")) is comes_back


@pytest.mark.usefixtures("_in_a_job")
def test_a_container_that_cannot_ask_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(tmp_path, monkeypatch, scontrol="echo 'scontrol: error: no munge' >&2; exit 1")
    assert requeue("SIGUSR1") is False
    told = "cannot requeue SLURM job 8_3: "
    assert capsys.readouterr().err == f"{told}scontrol: error: no munge\n"
    monkeypatch.setenv("PATH", "")
    assert requeue("SIGUSR1") is False
    assert capsys.readouterr().err == f"{told}scontrol is not installed here\n"


def test_outside_slurm_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("PATH", "")
    assert requeue("SIGUSR1") is False
