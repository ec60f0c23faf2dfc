"""What SLURM is given to run, run here by bash."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from sslrun.config.launcher import SlurmConfig
from sslrun.launch.script import TASK, array_script
from sslrun.runs.job import last_error
from unit.launch.fakes import fake, job, noted, wait_until

STEP = 'shift; SLURM_PROCID={rank} "$@"; code=$?; exit {code}'
"""An srun that runs the task of one rank and ends with `code`."""
RUNNING = "echo JobState=RUNNING"


def run_script(folder: Path, *, array_job: int = 8, job_lines: str = "true", **settings: object) -> int:
    """Run the script for a single job whose `job.sh` has these lines; its exit code."""
    work = job(folder)
    work.folder.mkdir(parents=True, exist_ok=True)
    work.script.write_text(job_lines + "\n")
    script = array_script([work], SlurmConfig(**settings), output=folder)  # type: ignore[arg-type]
    ids = {"SLURM_ARRAY_JOB_ID": str(array_job), "SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": str(array_job + 1)}
    command = ["bash", "-c", script]
    done = subprocess.run(
        command, env=os.environ | ids | {"SLURM_JOB_NODELIST": "n1"}, capture_output=True, check=False
    )
    assert done.stdout == done.stderr == b""  # all of it is in the run's log
    return done.returncode


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
    assert "\nmodule load cuda\n" in script
    assert "\nsrun --kill-on-bad-exit=1 '--container-image=x y' bash -c " in script
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


def test_values_are_quoted_as_sbatch_reads_them() -> None:
    config = SlurmConfig(sbatch={"comment": 'a "b" \\ # é', "constraint": "[a|b]"})
    lines = array_script([job(Path("/x"))], config, output=Path("/runs/a b/100%/slurm")).splitlines()
    assert '#SBATCH --output="/runs/a b/100%%/slurm/%A_%a.out"' in lines
    assert r'#SBATCH --comment="a \"b\" \\ # é"' in lines and '#SBATCH --constraint="[a|b]"' in lines


@pytest.mark.parametrize(("rank", "name"), [("0", "log.txt"), ("3", "log-rank3.txt")])
def test_each_rank_writes_its_own_log(tmp_path: Path, rank: str, name: str) -> None:
    (tmp_path / "job.sh").write_text("echo told; echo wrong >&2; exit 5\n")
    for _start in range(2):
        task = ["bash", "-c", TASK, "task", str(tmp_path), str(tmp_path / "code")]
        assert subprocess.run(task, env=os.environ | {"SLURM_PROCID": rank}, check=False).returncode == 5
    assert (tmp_path / name).read_text() == "told\nwrong\n" * (2 if rank == "0" else 1)
    assert not (tmp_path / "code").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_a_task_lives_as_long_as_its_run_which_heeds_signals(tmp_path: Path, number: signal.Signals) -> None:
    saves = f"trap 'sleep .3; exit 3' {number.name[3:]}; touch {tmp_path}/on; while true; do sleep .05; done"
    (tmp_path / "job.sh").write_text(saves + "\n")
    task = ["bash", "-c", TASK, "task", str(tmp_path), str(tmp_path / "code")]
    process = subprocess.Popen(task, env=os.environ | {"SLURM_PROCID": "0"}, start_new_session=True)
    wait_until((tmp_path / "on").exists, process)
    os.killpg(process.pid, number)
    assert process.wait() == 3 and (tmp_path / "code").read_text() == "3\n"


@pytest.mark.parametrize("code", [2, 3])
def test_a_ranks_own_code_counts_and_not_that_of_those_which_srun_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    calls = fake(tmp_path, monkeypatch, srun=STEP.format(rank=1, code=137), scontrol=RUNNING)
    assert run_script(tmp_path, job_lines=f"exit {code}") == code
    assert noted(calls, "scontrol") == [] and not (tmp_path / "0" / "crashes.txt").exists()
    assert list((tmp_path / "0").glob(".exit-code*")) == []
    (tmp_path / "0" / ".exit-code-9-0").write_text("3\n")  # of a start before this
    assert run_script(tmp_path, job_lines="exit 1") == 137
    assert "scontrol requeue 8_0" in noted(calls, "scontrol")


def test_crashes_count_by_submission_and_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake(tmp_path, monkeypatch, srun=STEP.format(rank=0, code="$code"), scontrol=RUNNING)
    saved = tmp_path / "0" / "checkpoints" / "last.ckpt"
    saved.parent.mkdir(parents=True)

    def comes_back(*, array_job: int) -> bool:
        before = calls.read_text().count("scontrol requeue") if calls.exists() else 0
        assert run_script(tmp_path, array_job=array_job, job_lines="exit 1", retries=1) == 1
        return calls.read_text().count(f"scontrol requeue {array_job}_0") > before

    assert [comes_back(array_job=8) for _ in range(3)] == [True, False, False]  # in a loop
    saved.touch()
    for moment in (1_000, 2_000, 3_000):  # it went on each time
        os.utime(saved, (moment, moment))
        assert comes_back(array_job=8)
    assert not comes_back(array_job=8)
    calls.unlink()
    assert [comes_back(array_job=10) for _ in range(2)] == [True, False]  # submitted anew
    crashes = (tmp_path / "0" / "crashes.txt").read_text().splitlines()
    assert len(crashes) == 9 and crashes[0].endswith("ended with code 1 on n1, job 8_0, last checkpoint none")
    assert crashes[-1].endswith("job 10_0, last checkpoint 1970-01-01T00:50:00Z")


def test_what_the_setup_lines_print_is_in_the_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake(tmp_path, monkeypatch, srun="echo told by srun >&2; exit 0", scontrol=RUNNING)
    failing = ["echo loading", "echo 'module: error: no cuda/99' >&2", "exit 1"]
    assert run_script(tmp_path, setup=failing) == 1
    assert last_error(tmp_path / "0" / "log.txt") == "module: error: no cuda/99"
    assert run_script(tmp_path, setup=["export A=b", "set -eu"]) == 0
    assert (tmp_path / "0" / "log.txt").read_text() == "loading\nmodule: error: no cuda/99\ntold by srun\n"
