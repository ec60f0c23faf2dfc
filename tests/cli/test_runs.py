"""`sslrun runs`: the table, JSON for programs, filters."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from runfolders import CREATED, FakeSlurm, held, make_run, write_metrics, write_results
from sslrun.commands import runs
from sslrun.commands.runs_table import table
from sslrun.config.errors import ConfigError, RunError
from sslrun.runs.find import find_runs
from sslrun.runs.overview import Reader

KEYS = [
    "folder", "name", "command", "state", "over", "note", "method", "dataset", "step", "total_steps",
    "items_per_second", "best", "low", "high", "measure", "created", "changed", "seconds", "host", "launcher", "job",
]  # fmt: skip
DOCUMENTATION = Path(__file__).parents[2] / "docs" / "run-folder.md"
SPEEDS = [(step, "train/items_per_second", speed) for step, speed in ((10, 100.0), (20, 300.0), (30, 200.0))]
ROWS = sorted([*SPEEDS, (10, "probe/knn20", 0.9), (10, "probe/linear", 0.75), (30, "probe/linear", 0.5)])


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """An empty working directory beside a SLURM with one job that waits."""
    fake = FakeSlurm(tmp_path / "slurm")
    fake.queue("41|0|PENDING|N/A|Priority\n")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("PATH", f"{fake.bin}:/usr/bin:/bin")
    return fake


@pytest.fixture
def five(elsewhere: FakeSlurm) -> Path:
    """Finished, running, failed, of a sweep and queued, fine-tuned."""
    top = Path("runs")
    first = make_run(top / "pretrain" / "byol" / "1")
    write_metrics(first, ROWS)
    for part in ("checkpoints", "encoder", ".hidden"):
        make_run(first / part)
    write_metrics(make_run(top / "pretrain" / "byol" / "2", status="running"), ROWS)
    make_run(top / "pretrain" / "byol" / "3", status="failed", last_error="TrainingError: loss is nan at step 7")
    make_run(top / "sweep" / "0", status=None, job={"launcher": "slurm", "job": "41", "task": 0})
    tuned = make_run(top / "finetune", command="finetune")
    write_results(tuned, evaluation="finetune", value=0.91, low=0.9, high=0.92)
    return top


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, dict[str, Any]]:
    runs.main(["--json", *arguments])
    printed = json.loads(capsys.readouterr().out)
    assert list(printed) == ["schema_version", "runs"] and printed["schema_version"] == 1
    return {run["folder"]: run for run in printed["runs"]}


def test_json_of_a_running_run(five: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = five / "pretrain" / "byol" / "2"
    with held(folder):
        run = as_json(capsys)[str(folder)]
    assert run.pop("changed")
    assert run == {
        "folder": "runs/pretrain/byol/2", "name": "byol/2", "command": "pretrain", "state": "running", "over": False,
        "note": "", "method": "byol", "dataset": "digits", "step": 30, "total_steps": 100, "items_per_second": 200.0,
        "best": 0.75, "low": None, "high": None, "measure": "probe/linear", "created": CREATED, "seconds": 12.5,
        "host": "elsewhere", "launcher": "", "job": "",
    }  # fmt: skip


def test_json_has_every_key_for_every_run_and_asks_slurm_once(
    five: Path, elsewhere: FakeSlurm, capsys: pytest.CaptureFixture[str]
) -> None:
    found = as_json(capsys)
    assert [list(run) for run in found.values()] == [KEYS] * 5
    assert {folder.removeprefix("runs/"): run["state"] for folder, run in found.items()} == {
        "pretrain/byol/1": "finished", "pretrain/byol/2": "running", "pretrain/byol/3": "failed",
        "sweep/0": "queued", "finetune": "finished",
    }  # fmt: skip
    queued, tuned = found["runs/sweep/0"], found["runs/finetune"]
    assert (queued["launcher"], queued["job"], queued["note"], queued["created"]) == (
        "slurm",
        "41_0",
        "Priority",
        CREATED,
    )
    assert (tuned["best"], tuned["low"], tuned["high"], tuned["measure"]) == (0.91, 0.9, 0.92, "finetune/top1")
    assert len(elsewhere.calls()) == 1


@pytest.mark.parametrize("key", KEYS)
def test_documentation_names_each_key(key: str) -> None:
    section = DOCUMENTATION.read_text(encoding="utf-8").partition("## sslrun runs --json")[2]
    assert f"`{key}`" in section


def test_table_says_why_below_a_failed_run(five: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs.main(["--sort", "name"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "5 runs: 1 queued, 1 running, 1 failed, 2 finished"
    assert lines[1].split() == [
        "state",
        "progress",
        "speed",
        "best",
        "age",
        "last",
        "command",
        "method",
        "dataset",
        "folder",
    ]
    rows = {line.split()[-1]: i for i, line in enumerate(lines)}
    assert lines[rows["runs/pretrain/byol/3"] + 1] == "  TrainingError: loss is nan at step 7"
    assert "91.0 % [90.0, 92.0] finetune" in lines[rows["runs/finetune"]]
    running = lines[rows["runs/pretrain/byol/2"]]
    assert "30 % of 100" in running and "200 items/s" in running and "75.0 % linear" in running
    assert "\x1b" not in "".join(lines)


def test_runs_are_found_below_any_folder_but_those_of_a_run(tmp_path: Path) -> None:
    for folder in ("slurm/wandb/1", "slurm/wandb/1/encoder/2", "encoder/3"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "run.json").write_text("{}")
    assert {str(run.relative_to(tmp_path)) for run in find_runs(tmp_path)} == {"slurm/wandb/1", "encoder/3"}


@pytest.mark.parametrize("width", [40, 60, 80, 100, 140])
def test_table_fits_the_terminal(width: int, five: Path) -> None:
    found = Reader().read(sorted(find_runs(five)))
    lines = table(found, width=width, colour=False)
    assert max(map(len, lines)) <= width
    assert len(lines) == 1 + 5 + 2  # the failed and the queued say why
    assert any(line.endswith("byol/3") for line in lines)


def test_states_are_coloured_only_where_asked(five: Path) -> None:
    found = Reader().read([five / "pretrain" / "byol" / "3"])
    assert table(found, width=None, colour=True)[1].startswith("\x1b[31mfailed\x1b[0m  ")
    assert table(found, width=None, colour=False)[1].startswith("failed  ")


@pytest.mark.parametrize(("no_color", "expected"), [("", True), ("1", False)])
def test_no_color_is_honoured(
    no_color: str, expected: bool, five: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    runs.main([])
    assert ("\x1b[31mfailed" in capsys.readouterr().out) is expected


def test_filter_and_sort(five: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(as_json(capsys, "--state", "failed,queued", "--sort", "name")) == [
        "runs/pretrain/byol/3",
        "runs/sweep/0",
    ]
    best = [run["best"] for run in as_json(capsys, "--sort", "best").values()]
    assert best == [0.91, 0.75, 0.75, None, None]
    with pytest.raises(ConfigError, match="--state=faild: no such choice; did you mean 'failed'"):
        runs.main(["--state", "faild"])
    with pytest.raises(ConfigError, match="--sort=size"):
        runs.main(["--sort", "size"])


def test_nothing_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    runs.main(["empty"])
    assert capsys.readouterr().out == "no runs below empty\n"
    runs.main(["empty", "--json"])
    assert json.loads(capsys.readouterr().out)["runs"] == []
    with pytest.raises(RunError, match="nowhere: no such folder"):
        runs.main(["nowhere"])


def test_one_run_a_link_and_a_damaged_one(five: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert list(as_json(capsys, "runs/finetune")) == ["runs/finetune"]
    (five / "a-link").symlink_to(five.absolute() / "pretrain")
    (five / "pretrain" / "byol" / "3" / "run.json").write_text("{")
    (five / "finetune" / "results.json").write_text("{")
    found = as_json(capsys)
    assert len(found) == 5 and not any("a-link" in folder for folder in found)
    assert found["runs/pretrain/byol/3"]["note"].startswith("run.json cannot be read")
    assert found["runs/finetune"]["best"] is None


def test_watch_sees_what_changes(
    five: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pauses = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            raise KeyboardInterrupt
        make_run(five / "pretrain" / "byol" / "2", status="finished")

    monkeypatch.setattr(runs, "sleep", pause)
    with pytest.raises(KeyboardInterrupt):
        runs.main(["--watch", "0.5", "--state", "running,finished"])
    heads = [line for line in capsys.readouterr().out.splitlines() if " runs: " in line]
    assert heads == ["3 runs: 1 running, 2 finished", "3 runs: 3 finished"]
    assert pauses == [0.5, 0.5]


def test_neither_torch_nor_numpy_is_imported(five: Path) -> None:
    code = (
        "import sys; sys.argv = ['sslrun', 'runs']; from sslrun.cli import main; main(); "
        "print([m for m in ('torch', 'numpy', 'hydra', 'pytorch_lightning') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
