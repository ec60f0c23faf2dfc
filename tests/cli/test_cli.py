"""The command line as a person meets it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from children import Runner
from sslrun import cli


def sslrun(*arguments: str, cwd: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "sslrun", *arguments],
        cwd=cwd, capture_output=True, text=True, env=os.environ | environment, timeout=300,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pretrian"], "'pretrian' is not a command; did you mean 'pretrain'?"),
        (["pretrain", "method=boyl"], "method=boyl: no such method; did you mean 'byol'?"),
        (["pretrain", "trainer.epoch=1"], "trainer.epoch: no such key in TrainerConfig; did you mean 'epochs'?"),
        (["pretrain", "+method.foo=1"], "method.foo: no such key in SimCLRConfig"),
        (
            ["pretrain", "experiment=digits/simclr", "method=byol"],
            "is a recipe of method=simclr, but method=byol is set",
        ),
        (["probe", "encoder=nowhere"], "encoder=nowhere: no such run or encoder folder"),
        (["probe"], "encoder is not set; say encoder=…"),
        (["finetune", "encoder=random", "dataset=digits", "labels=0"], "labels must be 'all', a whole number"),
        (["pretrain", "run.dir=/dev/null/run"], "/dev/null/run cannot be written: Not a directory"),
        (
            ["pretrain", "method=bert", "backbone=hf_text"],
            "backbone.pretrained refers to itself; say backbone.pretrained=…",
        ),
        (["pretrain", "-m", "optimizer.lr=0.1,-1"], "optimizer.lr must be in (0, inf), got -1"),
        (["pretrain", "-m", "method=byol,simclr", "--cfg", "job"], "-m and --cfg exclude each other"),
        (["pretrain", "method=byol", "--nonsense"], "unrecognized arguments: --nonsense; see `sslrun pretrain --help`"),
        (["pretrain", "--resolve"], "--resolve goes with --cfg; write --cfg job --resolve"),
        (["-m", "pretrain"], "-m before the command: write `sslrun <command> -m …`"),
        (["pretrain", "trainer.accelerator=cpu", "trainer.precision=fp16"], "trainer.precision=fp16 needs a GPU"),
        (["pretrain", "dataset=hf", "dataset.path=/nowhere/x"], "dataset.path=/nowhere/x: no such file or folder"),
        (["resume", "nowhere"], "is not a run folder: it has no run.json"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    arguments: list[str], message: str, tmp_path: Path, runner: Runner
) -> None:
    (tmp_path / "here").mkdir()
    told = runner.run(*arguments, code=2, before=lambda: os.chdir(tmp_path / "here"))
    assert told.startswith("sslrun: error: ") and message in told
    assert told.count("\n") == 1
    assert list((tmp_path / "here").iterdir()) == []


def test_an_error_of_a_process_of_its_own_is_one_line(tmp_path: Path) -> None:
    done = sslrun("pretrain", "trainer.epoch=1", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("sslrun: error: trainer.epoch: no such key in TrainerConfig; did you mean 'epochs'?")
    assert done.stderr.count("\n") == 1


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = sslrun("pretrain", "method=boyl", "--debug", cwd=tmp_path)
    assert done.returncode != 0 and "Traceback" in done.stderr


def test_help_names_every_command_without_torch(tmp_path: Path) -> None:
    code = "import sys; sys.argv = ['sslrun', '-h']; from sslrun.cli import main; main(); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("pretrain", "probe", "finetune", "resume", "list", "export", "preview", "doctor", "runs", "logs"):
        assert f"\n  {command} " in done.stdout
    assert done.stdout.endswith("False\n")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sslrun pr", "pretrain probe preview"),
        ("sslrun pretrain method=", "method=byol"),
        ("sslrun pretrain method.temp", "method.temperature="),
        ("sslrun list ", "methods backbones datasets augmentations optimizers schedules experiments"),
    ],
)
def test_completion(line: str, expected: str, tmp_path: Path) -> None:
    done = sslrun("-sc", "query=bash", cwd=tmp_path, COMP_LINE=line, COMP_POINT=str(len(line)))
    assert set(expected.split()) <= set(done.stdout.split())


def test_cfg_job_and_help_work_behind_a_command(tmp_path: Path) -> None:
    assert "decay_start: 0.996" in sslrun("pretrain", "method=byol", "--cfg", "job", cwd=tmp_path).stdout
    assert re.search(r"^method: .*\bbyol, .*\bsimclr\b", sslrun("pretrain", "--help", cwd=tmp_path).stdout, re.M)
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sslrun", "pretrain", "--cfg", "job"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
    assert (process.returncode, told) == (141, "")


def test_a_broken_pipe_elsewhere_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(command: str, rest: list[str]) -> None:
        raise BrokenPipeError("a logger's socket")

    monkeypatch.setattr(cli, "_run_hydra", broken)
    monkeypatch.setattr("sys.argv", ["sslrun", "pretrain"])
    monkeypatch.setattr(cli.signals, "install", lambda: None)
    with pytest.raises(BrokenPipeError, match="a logger's socket"):
        cli.main()


def test_a_users_own_conf_comes_first(tmp_path: Path) -> None:
    (tmp_path / "conf" / "optimizer").mkdir(parents=True)
    (tmp_path / "conf" / "optimizer" / "mine.yaml").write_text("defaults: [sgd, _self_]\nlr: 0.123\n")
    assert "lr: 0.123" in sslrun("pretrain", "optimizer=mine", "--cfg", "job", cwd=tmp_path).stdout


def test_a_sweep_gives_a_folder_each(tmp_path: Path, runner: Runner) -> None:
    runner.run(
        "pretrain", "-m", "method=byol,simclr", "run.dir=sweep", "trainer.steps=2", "loader.workers=0",
        "monitor.every_epochs=0", "augmentation=digits", before=lambda: os.chdir(tmp_path),
    )  # fmt: skip
    for job, method in enumerate(("byol", "simclr")):
        assert f"kind: {method}" in (tmp_path / "sweep" / str(job) / "config.yaml").read_text()
        assert (tmp_path / "sweep" / str(job) / "encoder" / "model.safetensors").is_file()
