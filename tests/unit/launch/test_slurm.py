"""What is submitted, and what is waited for: with scripts in place of SLURM's commands."""

import itertools
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from sslrun.config.errors import ConfigError, RunError
from sslrun.config.launcher import SlurmConfig
from sslrun.launch import controller
from sslrun.launch.slurm import LARGEST_ARRAY, Slurm, arrays
from unit.launch.fakes import fake, job, noted

SBATCH = "echo '77;local'"
QUEUED = "echo '77_0 Priority'; echo '77_1 None'"
AWAY = "echo 'sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)' >&2"


def test_jobs_of_one_shape_share_an_array(tmp_path: Path) -> None:
    mixed = [job(tmp_path, 0), job(tmp_path, 1, nodes=2), job(tmp_path, 2)]
    assert [[j.number for j in group] for group in arrays(mixed)] == [[0, 2], [1]]
    many = [job(tmp_path, i) for i in range(LARGEST_ARRAY + 1)]
    assert [len(group) for group in arrays(many)] == [LARGEST_ARRAY, 1]


def test_a_job_that_is_queued_is_not_submitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake(tmp_path, monkeypatch, sbatch=SBATCH, squeue=QUEUED, scontrol="true")
    slurm = Slurm(SlurmConfig(wait=False))
    work = [job(tmp_path, 0), job(tmp_path, 1)]
    assert [o.status for o in slurm.run(work, folder=tmp_path)] == ["submitted"] * 2
    assert [o.status for o in slurm.run([*work, job(tmp_path, 2)], folder=tmp_path)] == ["submitted"] * 3
    submit = "sbatch --parsable --hold"
    assert noted(calls, "sbatch") == [f"{submit} {tmp_path}/slurm/0-1.sh", f"{submit} {tmp_path}/slurm/2-2.sh"]
    assert (tmp_path / "2" / "sbatch.sh").read_text() == (tmp_path / "slurm" / "2-2.sh").read_text()


def test_a_job_is_held_until_its_folder_says_whose_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, record = tmp_path / "0", tmp_path / "0" / "job.json"
    written = f"[ -e {first}/sbatch.sh ] && [ -e {first}/job.sh ] && [ ! -e {record} ] || exit 1; {SBATCH}"
    let_go = f"grep -q 77 {record}"
    calls = fake(tmp_path, monkeypatch, sbatch=written, scontrol=let_go, squeue="true")
    Slurm(SlurmConfig(wait=False)).run([job(tmp_path)], folder=tmp_path)
    assert noted(calls, "sbatch", "scontrol")[1:] == ["scontrol release 77"]
    fake(tmp_path, monkeypatch, sbatch=SBATCH)
    Slurm(SlurmConfig(wait=False, sbatch={"hold": True})).run([job(tmp_path, 1)], folder=tmp_path)
    assert len(noted(calls, "scontrol")) == 1  # the user lets go of it


def test_a_launcher_that_was_killed_before_it_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake(tmp_path, monkeypatch, sbatch=SBATCH, scontrol="kill -9 $PPID; sleep 9", squeue="true")
    if (child := os.fork()) == 0:
        Slurm(SlurmConfig(wait=False)).run([job(tmp_path, 0), job(tmp_path, 1)], folder=tmp_path)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
    held = "echo '77_0 JobHeldUser'; echo '77_1 JobHeldUser'; echo '9_0 JobHeldUser'"
    fake(tmp_path, monkeypatch, scontrol="true", squeue=held)
    again = [job(tmp_path, 0), job(tmp_path, 1)]
    assert [o.status for o in Slurm(SlurmConfig(wait=False)).run(again, folder=tmp_path)] == ["submitted"] * 2
    assert len(noted(calls, "sbatch")) == 1 and noted(calls, "scontrol")[-1] == "scontrol release 77_0,77_1"


def test_ctrl_c_in_a_submission_leaves_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake(tmp_path, monkeypatch, sbatch=SBATCH, scancel="true", scontrol="true", squeue="true")

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("sslrun.launch.slurm.write_record", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Slurm(SlurmConfig(wait=False)).run([job(tmp_path)], folder=tmp_path)
    assert noted(calls, "scancel", "scontrol") == ["scancel 77"]


def test_waiting_ends_when_the_queue_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = f"[ -e {tmp_path}/asked ] || echo 5_0; [ ! -e {tmp_path}/submitted ] || touch {tmp_path}/asked"
    fake(tmp_path, monkeypatch, sbatch=f"touch {tmp_path}/submitted; echo 5", squeue=once, scontrol="true")
    outcome = Slurm(SlurmConfig(poll_seconds=0.01)).run([job(tmp_path)], folder=tmp_path)[0]
    assert outcome.status == "failed" and "ended before it printed anything" in str(outcome.error)


def test_jobs_that_are_waited_for_share_their_looks_at_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = [0.0], itertools.count(1)
    monkeypatch.setattr("sslrun.launch.slurm.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr("sslrun.launch.slurm.queue", lambda *, retry: {f"{next(looks)}_0": ""})
    slurm = Slurm(SlurmConfig(poll_seconds=5))

    def look(*, at: float, since: float) -> set[str]:
        clock[0] = at
        return set(slurm._poll(since))

    assert look(at=10, since=9) == {"1_0"}
    assert look(at=14, since=8) == {"1_0"}  # of another job, which waits too
    assert look(at=14.5, since=14) == {"2_0"}  # submitted after the last look
    assert look(at=19, since=14) == {"2_0"}
    assert look(at=20, since=9) == {"3_0"}


def test_what_slurm_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, sbatch="echo 'sbatch: error: invalid partition' >&2; exit 1", squeue="true")
    with pytest.raises(RunError, match="invalid partition"):
        Slurm(SlurmConfig()).run([job(tmp_path)], folder=tmp_path)
    fake(tmp_path, monkeypatch, squeue="echo 'Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(RunError, match="Unable to contact slurm controller"):
        Slurm(SlurmConfig()).run([job(tmp_path)], folder=tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(RunError, match="squeue is not installed here"):
        Slurm(SlurmConfig()).run([job(tmp_path)], folder=tmp_path)


def test_a_controller_that_is_away_for_a_while_ends_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(controller, "PAUSE_SECONDS", 0)
    slurm = Slurm(SlurmConfig(wait=False))
    calls = fake(tmp_path, monkeypatch, sbatch=SBATCH, squeue="true", scontrol="true")
    slurm.run([job(tmp_path)], folder=tmp_path)
    third = f"[ $(grep -c ^{{}} {calls}) = 3 ] || {{{{ {AWAY}; exit 1; }}}}; {{}}"
    calls.unlink()
    fake(
        tmp_path, monkeypatch, squeue=third.format("squeue", QUEUED), sbatch=third.format("sbatch", SBATCH),
        scontrol=third.format("scontrol", "true"),
    )  # fmt: skip
    capsys.readouterr()
    slurm.run([job(tmp_path, 2)], folder=tmp_path)
    assert [line.split()[0] for line in noted(calls, "squeue", "sbatch", "scontrol")] == [
        *["squeue"] * 3, *["sbatch"] * 3, *["scontrol"] * 3,
    ]  # fmt: skip
    assert capsys.readouterr().err.count("Unable to contact slurm controller (connect failure); trying again") == 2
    monkeypatch.setattr(controller, "TRIES", 4)
    calls.unlink()
    fake(tmp_path, monkeypatch, sbatch=f"{AWAY}; exit 1", squeue="true")
    with pytest.raises(RunError, match=r"sbatch refused .*Unable to contact slurm controller"):
        slurm.run([job(tmp_path, 3)], folder=tmp_path)
    assert len(noted(calls, "sbatch")) == 4


@pytest.mark.parametrize("text", ["4:00:00", "1:30:00", "168:00:00"])
def test_a_time_that_yaml_took_for_sixtieths_is_refused(text: str) -> None:
    minutes = yaml.safe_load(text)
    told = rf"hydra.launcher.{{}}={minutes}: YAML reads '{text}' without quotes as this number, which sbatch takes"
    with pytest.raises(ConfigError, match=told.format("time")):
        SlurmConfig(time=minutes)
    with pytest.raises(ConfigError, match=told.format("sbatch.time-min")):
        SlurmConfig(sbatch={"time-min": minutes})
    for plain in (60, 240, 1440, 5001, "10080", text, "7-00:00:00"):
        SlurmConfig(time=plain)
    with pytest.raises(ConfigError, match=r"or '7-01:00:00' for that many minutes"):
        SlurmConfig(time=7 * 1440 + 60)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"nodes": 0}, "hydra.launcher.nodes must be in"),
        ({"poll_seconds": 0.0}, "hydra.launcher.poll_seconds must be in"),
        ({"retries": -1}, "hydra.launcher.retries must be in"),
        ({"sbatch": {"open-mode": "truncate"}}, "hydra.launcher.sbatch.open-mode cannot be set"),
    ],
)
def test_settings_out_of_range(changed: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SlurmConfig(**changed)  # type: ignore[arg-type]
