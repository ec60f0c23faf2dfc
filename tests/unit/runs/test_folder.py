"""The run folder: opened, locked, refused, ended."""

import errno
import fcntl
import json
import os
import signal
import time
from pathlib import Path

import pytest

from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError, RunError
from sslrun.core.rows import Row
from sslrun.runs import folder
from sslrun.runs.encoders import (
    EncoderRef,
    FolderRef,
    PixelsRef,
    RandomRef,
    TimmRef,
    TransformersRef,
    parse_encoder,
    run_of,
)
from sslrun.runs.folder import hold, is_held
from sslrun.runs.manifest import read_manifest
from sslrun.runs.opening import open_run


def config(path: Path, *overrides: str):
    return compose("pretrain", [f"run.dir={path}", *overrides])


def test_a_new_folder_has_config_and_manifest(tmp_path: Path) -> None:
    run = open_run("pretrain", config(tmp_path / "a"))
    manifest = read_manifest(tmp_path / "a")
    assert (manifest["status"], manifest["command"], run.resumed) == ("running", "pretrain", False)
    assert "method:" in (tmp_path / "a" / "config.yaml").read_text()
    assert manifest["versions"]["torch"]
    run.end("interrupted")


def test_a_second_process_is_refused_and_told_who_holds_it(tmp_path: Path) -> None:
    held = open_run("pretrain", config(tmp_path))
    with pytest.raises(RunError, match=r"is in use by process \d+ on "):
        open_run("pretrain", config(tmp_path))
    held.end("interrupted")
    again = open_run("pretrain", config(tmp_path))
    assert again.resumed
    again.end("interrupted")


def test_a_killed_process_frees_it_at_once_though_its_workers_live_on(tmp_path: Path) -> None:
    told, tell = os.pipe()
    if (trainer := os.fork()) == 0:
        held = hold(tmp_path)
        if os.fork() == 0:
            os.write(tell, str(os.getpid()).encode())
            time.sleep(60)
            os._exit(0)
        time.sleep(60)
        held.close()
    worker = int(os.read(told, 32))
    assert is_held(tmp_path)
    os.kill(trainer, signal.SIGKILL)
    os.waitpid(trainer, 0)
    os.kill(worker, 0)  # alive
    assert not is_held(tmp_path)
    hold(tmp_path).close()
    os.kill(worker, signal.SIGKILL)


def test_a_job_that_slurm_starts_again_waits_for_the_lock_of_a_lost_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    lost = hold(tmp_path)
    monkeypatch.setattr(folder, "say", told.append)
    with pytest.raises(RunError, match="is in use by process"):
        hold(tmp_path)
    assert told == []
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    monkeypatch.setattr(folder, "LOST_NODE_SECONDS", 0.0)
    with pytest.raises(RunError, match="is in use by process"):
        hold(tmp_path)
    assert len(told) == 1 and told[0].startswith(f"run.dir={tmp_path} is in use by process {os.getpid()} on ")
    monkeypatch.setattr(folder, "say", lambda _: lost.close())  # the server gives it back while it is waited for
    hold(tmp_path).close()


def test_a_run_on_a_file_system_without_locks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def flock(_file: object, _operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", flock)
    open_run("pretrain", config(tmp_path)).end("interrupted")
    again = open_run("pretrain", config(tmp_path))
    assert again.resumed and not is_held(tmp_path)
    again.end("interrupted")
    assert capsys.readouterr().err.count("no locks on this file system (No locks available)") == 2


def test_another_configuration_is_refused_with_its_difference(tmp_path: Path) -> None:
    open_run("pretrain", config(tmp_path)).end("interrupted")
    with pytest.raises(RunError, match=r"another configuration \(seed: 0 -> 7\)"):
        open_run("pretrain", config(tmp_path, "seed=7"))
    open_run("pretrain", config(tmp_path, "seed=7", "run.on_change=continue")).end("interrupted")
    open_run("pretrain", config(tmp_path, "loader.workers=0")).end("interrupted")


def test_another_commands_folder_is_refused(tmp_path: Path) -> None:
    open_run("pretrain", config(tmp_path)).end("finished")
    with pytest.raises(RunError, match="holds a run of `sslrun pretrain`"):
        open_run("probe", compose("probe", ["encoder=random", f"run.dir={tmp_path}"]))


def test_the_end_is_noted(tmp_path: Path) -> None:
    run = open_run("pretrain", config(tmp_path))
    run.write_rows(
        [Row(encoder="e", dataset="d", split="test", evaluation="knn1", metric="top1", value=0.5, n=2, seed=0)]
    )
    run.end("finished")
    manifest = read_manifest(tmp_path)
    assert manifest["status"] == "finished" and manifest["sessions"][-1]["stopped"]
    assert json.loads((tmp_path / "results.json").read_text())["rows"][0]["value"] == 0.5


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("random", RandomRef()),
        ("pixels", PixelsRef()),
        ("timm:resnet18", TimmRef("timm:resnet18")),
        ("hf:owner/name", TransformersRef("hf:owner/name", "hf:owner/name")),
    ],
)
def test_encoders_by_keyword(text: str, ref: EncoderRef) -> None:
    assert parse_encoder(text) == ref


def test_encoders_by_path(tmp_path: Path) -> None:
    run = tmp_path / "byol-digits" / "now"
    (run / "encoder").mkdir(parents=True)
    for name in ("config.json", "model.safetensors"):
        (run / "encoder" / name).write_text("{}")
    (run / "run.json").write_text("{}")
    for text in (run, run / "encoder", run / "run.json", run / "encoder" / "model.safetensors"):
        found = parse_encoder(str(text))
        assert found == FolderRef("byol-digits/now", run / "encoder", run)
        assert run_of(text) == run
    assert run_of(tmp_path / "weights.pt") is None
    further = run / "encoder" / "average"
    further.mkdir()
    for name in ("config.json", "model.safetensors"):
        (further / name).write_text("{}")
    found = parse_encoder(str(further))
    assert found == FolderRef("byol-digits/now/average", further, run)


def test_encoders_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no such run or encoder folder"):
        parse_encoder(str(tmp_path / "nope"))
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="has no encoder yet"):
        parse_encoder(str(tmp_path))
