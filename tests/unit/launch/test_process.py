"""Local subprocesses: how many at a time, on which GPU, and how their ends are told."""

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sslrun.config.launcher import ProcessConfig
from sslrun.core.atomic import write_text
from sslrun.launch.job import Job, Outcome, job_arguments, last_error
from sslrun.launch.process import ProcessPool, visible_gpus
from unit.launch.fakes import wait_until


@dataclass(frozen=True, kw_only=True)
class Shell(Job):
    """A job of a few shell lines in place of a run."""

    lines: str

    def write_script(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.script, f"cd {self.folder}\n{self.lines}\n")


def jobs(folder: Path, *lines: str, devices: int = 1) -> list[Shell]:
    return [
        Shell(number=i, arguments=("pretrain",), folder=folder / str(i), cwd=folder, lines=text, tasks_per_node=devices)
        for i, text in enumerate(lines)
    ]


def finished(value: float) -> str:
    """Shell lines that leave what a finished pretraining leaves."""
    rows = {"rows": [{"evaluation": "linear", "metric": "top1", "value": value}]}
    manifest = {"status": "finished", "command": "pretrain"}
    return f"echo '{json.dumps(rows)}' > results.json; echo '{json.dumps(manifest)}' > run.json"


def at_least(count: int, file: str) -> str:
    """Shell lines that wait until a file has so many lines, for at most a minute."""
    return f"until [ $(wc -l < {file}) -ge {count} ] || [ $SECONDS -ge 60 ]; do sleep .02; done"


def run(pool: ProcessPool, work: list[Shell]) -> list[tuple[str, float | None, str | None]]:
    outcomes: list[Outcome] = pool.run(work, folder=work[0].folder.parent)
    return [(o.status, o.value, o.error) for o in outcomes]


@pytest.fixture(autouse=True)
def handlers() -> object:
    """A pool keeps Ctrl-C for its jobs; the next test wants it back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield None
    for number, handler in before.items():
        signal.signal(number, handler)


def test_outcomes_come_from_the_run_folders(tmp_path: Path) -> None:
    interrupted = """echo '{"status": "interrupted", "command": "pretrain"}' > run.json; exit 3"""
    crashed = (
        """echo '{"status": "failed", "command": "pretrain", "last_error": "the loss is nan"}' > run.json; exit 1"""
    )
    refused = "echo 'sslrun: error: seed must be in [0, inf), got -1' >&2; exit 2"
    work = jobs(tmp_path, finished(0.75), interrupted, crashed, refused, "exit 0")
    found = run(ProcessPool(ProcessConfig(jobs=2)), work)
    logs = [tmp_path / str(i) / "log.txt" for i in range(5)]
    assert found == [
        ("finished", 0.75, None),
        ("interrupted", None, "stopped and saved; the same command continues it"),
        ("failed", None, f"the loss is nan; see {logs[2]}"),
        ("failed", None, f"sslrun: error: seed must be in [0, inf), got -1; see {logs[3]}"),
        ("failed", None, f"ended before it printed anything; see {logs[4]}"),
    ]
    record = json.loads((tmp_path / "0" / "job.json").read_text())
    assert record["launcher"] == "process" and record["task"] is None


@pytest.mark.parametrize("at_a_time", [1, 3])
def test_so_many_at_a_time(tmp_path: Path, at_a_time: int) -> None:
    """Jobs start, and end, once so many have: the first ones run together however slow the machine is."""
    lines = f"""cd {tmp_path}; touch on-$$; echo >> started; {at_least(at_a_time, "started")}
        sleep .1  # for others that should not run
        ls | grep -c on- >> counts; {at_least(at_a_time, "counts")}; rm on-$$"""
    run(ProcessPool(ProcessConfig(jobs=at_a_time)), jobs(tmp_path, *[lines] * 6))
    counts = [int(line) for line in (tmp_path / "counts").read_text().split()]
    assert len(counts) == 6 and max(counts) == at_a_time


def test_each_job_has_a_gpu_and_its_share_of_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,5")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert visible_gpus() == ["2", "5"]
    tell = f"cd {tmp_path}; echo $CUDA_VISIBLE_DEVICES $OMP_NUM_THREADS >> seen; "
    run(ProcessPool(ProcessConfig()), jobs(tmp_path, *[tell + at_least(pairs, "seen") for pairs in (2, 2, 4, 4)]))
    threads = max(1, (os.cpu_count() or 1) // 2)
    assert sorted((tmp_path / "seen").read_text().splitlines()) == [f"2 {threads}"] * 2 + [f"5 {threads}"] * 2


def test_a_job_of_two_processes_has_two_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2,3,4")
    pool = ProcessPool(ProcessConfig())
    assert [pool._acquire(2), pool._acquire(2)] == [["0", "1"], ["2", "3"]]
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(pool._acquire, 2)
        pool._release(["2", "3"])
        assert waiting.result() == ["2", "3"]
    shared = ProcessPool(ProcessConfig(jobs=10))
    assert [shared._acquire(1) for _ in range(6)] == [["0"], ["1"], ["2"], ["3"], ["4"], ["0"]]
    tell = f"echo $CUDA_VISIBLE_DEVICES > {tmp_path}/seen"
    run(ProcessPool(ProcessConfig()), jobs(tmp_path, tell, devices=8))  # the run itself says what is missing
    assert (tmp_path / "seen").read_text() == "0,1,2,3,4\n"


def test_a_job_whose_process_outlived_its_launcher_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "0").mkdir()
    hold = """if True:
        import fcntl, time
        lock = open(".lock", "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        print("held", flush=True)
        time.sleep(0.5)
        open("ended", "w").close()
    """
    holder = subprocess.Popen([sys.executable, "-c", hold], cwd=tmp_path / "0", stdout=subprocess.PIPE)
    assert holder.stdout is not None and holder.stdout.readline()
    run(ProcessPool(ProcessConfig()), jobs(tmp_path, "ls > seen"))
    holder.communicate()
    assert "ended" in (tmp_path / "0" / "seen").read_text().split()


def test_ctrl_c_asks_the_jobs_to_save_and_starts_no_other(tmp_path: Path) -> None:
    saves = "trap 'echo saved > state; exit 3' TERM; echo on > state; while true; do sleep .05; done"
    pool = ProcessPool(ProcessConfig(jobs=1))

    def interrupt() -> None:
        try:
            wait_until((tmp_path / "0" / "state").exists)
        finally:
            os.kill(os.getpid(), signal.SIGINT)

    with ThreadPoolExecutor(1) as thread:
        interrupted = thread.submit(interrupt)
        with pytest.raises(KeyboardInterrupt):
            pool.run(jobs(tmp_path, saves, "touch started"), folder=tmp_path)
        interrupted.result()
    assert (tmp_path / "0" / "state").read_text() == "saved\n"
    assert not (tmp_path / "1" / "started").exists()


def test_the_command_line_of_a_job(tmp_path: Path) -> None:
    folder = tmp_path / "with space"
    task = ["method=byol", "run.dir=elsewhere", "seed=1"]
    arguments = job_arguments("pretrain", task, folder=folder, config_dirs=["/c"], hydra=["hydra.verbose=true"])
    assert arguments == (
        "pretrain", "--config-dir=/c", "method=byol", "seed=1", "hydra.verbose=true", f'run.dir="{folder}"',
        "hydra/launcher=basic",
    )  # fmt: skip
    job = Job(number=0, arguments=arguments, folder=folder, cwd=tmp_path)
    job.write_script()
    assert job.script.read_text().splitlines()[1] == f"cd {tmp_path} || exit 2"
    assert f"""'run.dir="{folder}"'""" in job.script.read_text()


def test_a_job_is_told_its_folder_whatever_that_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "josé's \\d, a=b $x"
    arguments = job_arguments("pretrain", ["seed=1"], folder=folder)
    read = {o.key_or_group: o.value() for o in OverridesParser.create().parse_overrides(list(arguments[1:]))}
    assert read["run.dir"] == str(folder)


def test_the_last_error_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log.txt"
    assert last_error(log) == "ended before it printed anything"
    slurm = "slurmstepd-n1: error: *** CANCELLED ***\nsrun: error: n1: task 0: Exited\n"
    log.write_text(f"step 1\nValueError: no\n  more\n{slurm}")
    assert last_error(log) == "ValueError: no"
    log.write_text("step 1\nstep 2\n")
    assert last_error(log) == "step 2"
    log.write_text("RuntimeError: Connection closed by peer\n")
    first = tmp_path / "log-rank3.txt"
    first.write_text("OSError: no space left\n")
    os.utime(first, (1, 1))
    assert last_error(log) == "rank 3: OSError: no space left"
