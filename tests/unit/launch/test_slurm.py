"""What is submitted, and when a job asks to come back: with scripts in place of SLURM's commands."""

import itertools
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from sslrun.config.errors import ConfigError, RunError
from sslrun.config.launcher import SlurmConfig
from sslrun.launch.job import Job
from sslrun.launch.slurm import LARGEST_ARRAY, TASK, Slurm, array_script, arrays, requeue


def job(folder: Path, number: int = 0, **shape: int) -> Job:
    return Job(number=number, arguments=("pretrain", "seed=1"), folder=folder / str(number), cwd=folder, **shape)


def fake(folder: Path, monkeypatch: pytest.MonkeyPatch, **commands: str) -> Path:
    """Put shell scripts of these names first on the PATH; each call is noted in the file returned."""
    calls = folder / "calls"
    for name, lines in commands.items():
        path = folder / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f'#!/bin/bash\necho "{name} $*" >> {calls}\n{lines}\n')
        path.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}:{os.environ['PATH']}")
    return calls


def test_the_script_is_bash_and_says_what_was_asked(tmp_path: Path) -> None:
    config = SlurmConfig(
        partition="gpu", time="1-00:00:00", gpus_per_node=4, mem="64G", signal_seconds=90, array_parallelism=8,
        sbatch={"qos": "low", "exclusive": True}, setup=["module load cuda"], srun=["--container-image=x y"],
    )  # fmt: skip
    script = array_script([job(tmp_path, i, nodes=2, tasks_per_node=4) for i in range(3)], config, output=tmp_path)
    options = [line.removeprefix("#SBATCH ") for line in script.splitlines() if line.startswith("#SBATCH")]
    assert options == [
        "--job-name=sslrun-pretrain", "--partition=gpu", "--time=1-00:00:00", "--nodes=2", "--ntasks-per-node=4",
        "--gpus-per-node=4", "--mem=64G", "--array=0-2%8", "--signal=USR1@90", "--requeue", "--open-mode=append",
        f"--output={tmp_path}/%A_%a.out", "--qos=low", "--exclusive",
    ]  # fmt: skip
    assert "module load cuda\nsrun --kill-on-bad-exit=1 '--container-image=x y' bash -c " in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@pytest.mark.parametrize(("rank", "name"), [("0", "log.txt"), ("3", "log-rank3.txt")])
def test_each_rank_writes_its_own_log(tmp_path: Path, rank: str, name: str) -> None:
    (tmp_path / "job.sh").write_text("echo told; echo wrong >&2; exit 5\n")
    for _start in range(2):
        task = ["bash", "-c", TASK, "task", str(tmp_path)]
        assert subprocess.run(task, env=os.environ | {"SLURM_PROCID": rank}, check=False).returncode == 5
    assert (tmp_path / name).read_text() == "told\nwrong\n" * (2 if rank == "0" else 1)


def test_jobs_of_one_shape_share_an_array(tmp_path: Path) -> None:
    mixed = [job(tmp_path, 0), job(tmp_path, 1, nodes=2), job(tmp_path, 2)]
    assert [[j.number for j in group] for group in arrays(mixed)] == [[0, 2], [1]]
    many = [job(tmp_path, i) for i in range(LARGEST_ARRAY + 1)]
    assert [len(group) for group in arrays(many)] == [LARGEST_ARRAY, 1]


def test_a_job_that_is_queued_is_not_submitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake(tmp_path, monkeypatch, sbatch="echo '77;local'", squeue="echo 77_0; echo 77_1")
    slurm = Slurm(SlurmConfig(wait=False))
    work = [job(tmp_path, 0), job(tmp_path, 1)]
    assert [o.status for o in slurm.run(work, folder=tmp_path)] == ["submitted"] * 2
    assert [o.status for o in slurm.run([*work, job(tmp_path, 2)], folder=tmp_path)] == ["submitted"] * 3
    submitted = [line for line in calls.read_text().splitlines() if line.startswith("sbatch")]
    assert submitted == [f"sbatch --parsable {tmp_path}/slurm/0-1.sh", f"sbatch --parsable {tmp_path}/slurm/2-2.sh"]
    assert (tmp_path / "2" / "sbatch.sh").read_text() == (tmp_path / "slurm" / "2-2.sh").read_text()


def test_waiting_ends_when_the_queue_is_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    once = f"[ -e {tmp_path}/asked ] || echo 5_0; [ ! -e {tmp_path}/submitted ] || touch {tmp_path}/asked"
    fake(tmp_path, monkeypatch, sbatch=f"touch {tmp_path}/submitted; echo 5", squeue=once)
    outcome = Slurm(SlurmConfig(poll_seconds=0.01)).run([job(tmp_path)], folder=tmp_path)[0]
    assert outcome.status == "failed" and "ended before it printed anything" in str(outcome.error)


def test_jobs_that_are_waited_for_share_their_looks_at_the_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, looks = [0.0], itertools.count(1)
    monkeypatch.setattr("sslrun.launch.slurm.time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr("sslrun.launch.slurm.queue", lambda *, patient: {f"{next(looks)}_0"})
    slurm = Slurm(SlurmConfig(poll_seconds=5))

    def look(*, at: float, since: float) -> set[str]:
        clock[0] = at
        return slurm._look(since)

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
    with pytest.raises(RunError, match="there is no squeue here"):
        Slurm(SlurmConfig()).run([job(tmp_path)], folder=tmp_path)


FACTS = "JobState={state} BatchFlag={batch} Requeue={again} PreemptTime={preempted}"


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
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "8")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    assert requeue(signal_name) is comes_back
    asked = calls.read_text().splitlines() if calls.exists() else []
    assert ("scontrol requeue 8_3" in asked) is comes_back


def test_outside_slurm_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("PATH", "")
    assert requeue("SIGUSR1") is False


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
