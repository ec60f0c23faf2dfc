"""A run folder opened again: after damage, after crashes, from another place."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
import torch

from sslrun.commands.resume import restore_working_directory
from sslrun.config.compose import compose, save
from sslrun.config.errors import RunError
from sslrun.config.run import Extend
from sslrun.runs.encoders import parse_encoder
from sslrun.runs.length import Length, Phase, phase_at, resolve_length
from sslrun.runs.manifest import read_manifest
from sslrun.runs.newest import LAST, name_of
from sslrun.runs.opening import open_run
from sslrun.runs.storage import storage_error


def config(folder: Path, *overrides: str) -> Any:
    return compose("pretrain", [f"run.dir={folder}", *overrides])


def write(path: Path, step: int) -> None:
    torch.save({"epoch": 0, "global_step": step, "state_dict": {"w": torch.ones(5000)}}, path)


def test_damage_is_said_and_noted(tmp_path: Path) -> None:
    run = open_run("pretrain", config(tmp_path))
    write(run.checkpoints / name_of(3), 3)
    (run.checkpoints / LAST).write_text("not whole")
    run.end("interrupted")
    run = open_run("pretrain", config(tmp_path))
    assert run.checkpoint is not None and run.checkpoint.step == 3
    assert run.notes == read_manifest(tmp_path)["warnings"] and run.notes[0].startswith("last.ckpt is damaged (")
    assert read_manifest(tmp_path)["sessions"][-1]["from_step"] == 3
    run.end("finished", warnings=run.warnings_with(["another", run.notes[0]]))
    assert read_manifest(tmp_path)["warnings"] == [run.notes[0], "another"]


def test_a_job_that_gets_nowhere_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "4")
    for _ in range(3):
        open_run("pretrain", config(tmp_path)).end("failed", last_error="the disk of the data is gone")
    for _ in range(2):
        with pytest.raises(RunError, match=r"gave up: 3 sessions .* step 0; last error: the disk of the data is gone$"):
            open_run("pretrain", config(tmp_path))
    manifest = read_manifest(tmp_path)
    assert manifest["status"] == "failed" and len(manifest["sessions"]) == 3
    monkeypatch.delenv("SLURM_RESTART_COUNT")
    open_run("pretrain", config(tmp_path)).end("interrupted")  # by hand it is tried again


def test_failures_of_an_earlier_job_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "2")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    for _ in range(3):
        open_run("pretrain", config(tmp_path)).end("failed", last_error="the disk of the data is gone")
    monkeypatch.setenv("SLURM_JOB_ID", "9")
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "8")
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "0")
    for _ in range(3):
        open_run("pretrain", config(tmp_path)).end("failed", last_error="a node died")
    with pytest.raises(RunError, match="gave up: 3 sessions in a row"):
        open_run("pretrain", config(tmp_path))
    assert [s["job"] for s in read_manifest(tmp_path)["sessions"]] == ["7"] * 3 + ["8_0"] * 3


def test_stops_that_were_asked_for_are_no_crashes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "4")
    for status in ("failed", "interrupted", "failed", "interrupted", "interrupted"):  # a probe saves nothing
        open_run("pretrain", config(tmp_path)).end(status, last_error="the disk of the data is gone")
    open_run("pretrain", config(tmp_path)).end("failed")
    with pytest.raises(RunError, match="gave up: 3 sessions in a row"):
        open_run("pretrain", config(tmp_path))


def test_a_job_that_gets_on_does_not_give_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLURM_RESTART_COUNT", "1")
    for step in range(1, 6):
        run = open_run("pretrain", config(tmp_path))
        write(run.checkpoints / LAST, step if step < 3 else 3)
        assert run._lock is not None
        run._lock.close()  # kill -9: no end is noted
    steps = [(s["from_step"], s.get("to_step")) for s in read_manifest(tmp_path)["sessions"]]
    assert steps == [(0, 1), (1, 2), (2, 3), (3, 3), (3, None)]
    open_run("pretrain", config(tmp_path)).end("failed")
    with pytest.raises(RunError, match="gave up: 3 sessions in a row ended without a checkpoint newer than step 3"):
        open_run("pretrain", config(tmp_path))


def test_ranks_workers_and_intervals_may_differ(tmp_path: Path) -> None:
    open_run("pretrain", config(tmp_path)).end("interrupted")
    free = ["trainer.devices=2", "trainer.num_nodes=2", "trainer.strategy=ddp", "trainer.keep_checkpoints=5"]
    open_run("pretrain", config(tmp_path, *free, "trainer.checkpoint_steps=3")).end("interrupted")
    with pytest.raises(RunError, match=r"seed: 0 -> 7\); choose another run.dir, run.on_change=fork, or"):
        open_run("pretrain", config(tmp_path, "seed=7"))


@pytest.mark.parametrize("change", ["trainer.accumulate=2", "method=simclr", "optimizer=sgd"])
def test_what_no_checkpoint_fits_is_not_advised_to_go_on(change: str, tmp_path: Path) -> None:
    open_run("pretrain", config(tmp_path, "method=byol", "optimizer=adamw")).end("interrupted")
    for asked in ([], ["run.on_change=continue"]):
        with pytest.raises(
            RunError, match=r" -> .*: the checkpoint of .* cannot be loaded after this change; choose another"
        ) as refused:
            open_run("pretrain", config(tmp_path, "method=byol", "optimizer=adamw", "seed=7", change, *asked))
        assert "on_change" not in str(refused.value) and "seed" not in str(refused.value)


def test_phases_of_an_extended_run() -> None:
    extended = [
        {"at": 100, "from": 100, "to": 150, "how": "restart"},
        {"at": 120, "from": 150, "to": 200, "how": "stretch"},
    ]
    phases = Length(200, extended).phases
    assert phases == (Phase(0, 0, 100), Phase(100, 100, 150), Phase(120, 100, 200))
    assert [phase_at(phases, s).progress(s) for s in (50, 99, 100, 119, 120, 200)] == [0.5, 0.99, 0, 0.38, 0.2, 1]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS])
def test_a_disk_that_takes_no_more_is_told(number: int, tmp_path: Path) -> None:
    cause = RuntimeError("unexpected pos 64 vs 0")  # torch's own, over the system's
    cause.__cause__ = OSError(number, os.strerror(number))
    told = f"{tmp_path} cannot be written: {os.strerror(number)}"
    assert str(storage_error(cause, tmp_path)).startswith(f"{told}; the last checkpoint is intact")
    assert str(storage_error(cause, tmp_path, begun=False)) == told
    assert storage_error(RuntimeError("no"), tmp_path) is None


def test_an_error_that_is_its_own_cause_is_searched_once(tmp_path: Path) -> None:
    failing = OSError(errno.EIO, os.strerror(errno.EIO))
    failing.__cause__ = failing
    assert storage_error(failing, tmp_path) is None


def test_settled_twice_is_settled_once() -> None:
    known = {"total_steps": 100}
    asked: dict[str, Any] = {"planned": 150, "step": 100, "extend": Extend.stretch}
    first = resolve_length(known, changed=True, **asked)
    assert (first.total_steps, first.extended) == (150, [{"at": 100, "from": 100, "to": 150, "how": "stretch"}])
    noted = {"total_steps": 150, "extended": first.extended}
    assert resolve_length(noted, changed=False, **asked) == resolve_length(noted, changed=True, **asked) == first
    with pytest.raises(RunError, match="90 steps are configured, but the run has done 100 of 100"):
        resolve_length(known, changed=True, planned=90, step=100, extend=Extend.stretch)


def test_resumed_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "start").mkdir()
    needs = config(tmp_path / "run", "dataset=imagefolder", "dataset.root=images", "dataset.image_size=32")
    restore_working_directory(tmp_path / "start", needs)
    assert Path.cwd() == tmp_path / "start"
    with pytest.raises(RunError, match=r"dataset.root=images is relative to .*gone, where the run was started"):
        restore_working_directory(tmp_path / "gone", needs)
    restore_working_directory(tmp_path / "gone", config(tmp_path / "run"))
    assert Path.cwd() == tmp_path / "start"


def test_a_folder_with_files_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("database: postgres\n")
    with pytest.raises(
        RunError, match=r"is not a run, and its config.yaml would be overwritten; choose another run.dir"
    ):
        open_run("pretrain", config(tmp_path))
    assert (tmp_path / "config.yaml").read_text() == "database: postgres\n"


def test_a_run_killed_before_its_manifest_was_written_starts_over(tmp_path: Path) -> None:
    settings = config(tmp_path)
    (tmp_path / "config.yaml").write_text(save(settings))
    run = open_run("pretrain", settings)
    assert run.manifest["status"] == "running"
    run.end("interrupted")


def test_encoders_are_named_by_their_own_run(tmp_path: Path) -> None:
    """Also where the folder above is a run too."""
    for folder in (tmp_path, tmp_path / "nested"):
        (folder / "encoder").mkdir(parents=True)
        (folder / "run.json").write_text("{}")
        for name in ("model.safetensors", "config.json"):
            (folder / "encoder" / name).write_text("{}")
    found = parse_encoder(str(tmp_path / "nested" / "encoder"))
    assert (found.name, found.run) == (f"{tmp_path.name}/nested", tmp_path / "nested")
