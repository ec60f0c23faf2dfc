"""Opening a run folder: create, continue, fork, extend, or refuse."""

import itertools
import os
import shutil
from pathlib import Path
from typing import IO, Any

from sslrun.config.command.base import CommandConfig
from sslrun.config.compose import save
from sslrun.config.errors import RunError
from sslrun.core.atomic import write_text
from sslrun.runs.changes import all_changes, changed_length, refuse_changes
from sslrun.runs.folder import RunFolder, hold
from sslrun.runs.forks import copy_state
from sslrun.runs.job import slurm_job
from sslrun.runs.manifest import new_manifest, now, read_manifest
from sslrun.runs.newest import Checkpoint, newest, remove_temporaries, set_aside

GIVE_UP_AFTER = 3
"""Consecutive failed sessions without a newer checkpoint after which a job that SLURM restarts gives up."""
RESULTS = (
    "results.json",
    "report.html",
    "confusion.json",
    "embedding.csv",
    "transcripts.csv",
    "classifier.safetensors",
    "transcriber.safetensors",
    "encoder",
)
"""Outputs of a finished run; kept if it is extended."""


def open_run(
    command: str, config: CommandConfig, *, parent: str | None = None, fork_of: Path | None = None
) -> RunFolder:
    """Create `config.run.dir`, or reopen it if it has the same run.

    Args:
        fork_of: the folder from whose state a new one starts.

    Raises:
        RunError: another process holds the folder; it has a run of another command or configuration, or foreign
            files; it cannot be written; none of its checkpoints can be read; its job failed `GIVE_UP_AFTER` times.
    """
    assert config.run.dir is not None
    path = Path(config.run.dir).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = hold(path)
        try:
            remove_temporaries(path)
            if (path / "run.json").exists():
                return _continue(command, config, path, lock)
            return _create(command, config, path, lock, parent=parent, fork_of=fork_of)
        except BaseException:
            lock.close()
            raise
    except OSError as error:
        raise RunError(f"run.dir={path} cannot be written: {error.strerror or error}") from error


def save_changed_config(run: RunFolder, command: str, config: CommandConfig) -> None:
    """Write config.yaml if the run continues under a changed configuration; call after run.json records the changes."""
    if all_changes(command, config, run.path, length=True):
        write_text(run.path / "config.yaml", save(config))


def refuse_other_command(manifest: dict[str, Any], command: str, path: Path) -> None:
    """Raise RunError if the manifest is another command's; an empty one is no run yet."""
    if manifest and manifest["command"] != command:
        raise RunError(f"run.dir={path} holds a run of `sslrun {manifest['command']}`; choose another run.dir")


def _create(
    command: str, config: CommandConfig, path: Path, lock: IO[str], *, parent: str | None, fork_of: Path | None
) -> RunFolder:
    _refuse_foreign(path, config)
    run = RunFolder(path, new_manifest(command, parent=parent), resumed=False, lock=lock)
    run.checkpoints.mkdir(exist_ok=True)
    if fork_of is not None:
        run = RunFolder(path, run.manifest | copy_state(fork_of, path), resumed=True, lock=lock)
        run.checkpoint = newest(run.checkpoints)
        step = run.manifest["forked_at"]
        changed = "; ".join(all_changes(command, config, fork_of, length=True))
        run.notes.append(f"fork of {fork_of} at step {step} ({changed})")
    run.manifest["sessions"].append(_session(run.checkpoint))
    write_text(path / "config.yaml", save(config))
    run.update()
    return run


def _refuse_foreign(path: Path, config: CommandConfig) -> None:
    """Raise RunError if a folder without run.json has files that a run would overwrite.

    A config.yaml equal to ours is left from a run that was killed before it wrote run.json.
    """
    foreign = [name for name in RESULTS if (path / name).exists()]
    written = path / "config.yaml"
    if written.exists() and written.read_text(encoding="utf-8", errors="replace") != save(config):
        foreign.append(written.name)
    if foreign:
        raise RunError(
            f"run.dir={path} is not a run, and its {', '.join(foreign)} would be overwritten; choose another run.dir"
        )


def _continue(command: str, config: CommandConfig, path: Path, lock: IO[str]) -> RunFolder:
    manifest = read_manifest(path)
    refuse_other_command(manifest, command, path)
    refuse_changes(command, config, path)
    run = RunFolder(path, manifest, resumed=True, lock=lock)
    longer = changed_length(command, config, path)
    if run.finished and not longer:
        return run
    run.checkpoint = newest(run.checkpoints)
    if run.checkpoint is not None and run.checkpoint.damaged:
        run.notes += set_aside(run.checkpoint)
        manifest["warnings"] = [*manifest.get("warnings", []), *run.notes]
    if run.finished:
        _keep_results(path, run.checkpoint)
    sessions = manifest["sessions"]
    if sessions and "to_step" not in sessions[-1]:  # killed: it got as far as its checkpoint
        sessions[-1]["to_step"] = 0 if run.checkpoint is None else run.checkpoint.step
    _give_up(run)
    sessions.append(_session(run.checkpoint))
    if changed := all_changes(command, config, path):
        manifest["changed"] = [*manifest.get("changed", []), {"at": sessions[-1]["from_step"], "keys": changed}]
    run.update(status="running", finished=None, pid=os.getpid())
    return run


def _session(checkpoint: Checkpoint | None) -> dict[str, Any]:
    return {
        "started": now(),
        "stopped": None,
        "status": "running",
        "pid": os.getpid(),
        "job": slurm_job(),
        "from_step": 0 if checkpoint is None else checkpoint.step,
    }


def _give_up(run: RunFolder) -> None:
    """Raise RunError after repeated failures, so that SLURM does not restart a crashing job forever.

    Requested stops are no failures. Failures in an earlier job do not count: whoever resubmitted has fixed something.
    """
    if int(os.environ.get("SLURM_RESTART_COUNT") or 0) == 0:
        return
    of_job = itertools.takewhile(lambda s: s.get("job") == slurm_job(), reversed(run.manifest["sessions"]))
    stuck = itertools.takewhile(lambda s: s.get("to_step", 0) <= s.get("from_step", -1), of_job)
    failed = [s for s in stuck if s["status"] not in ("interrupted", "finished")]
    if len(failed) < GIVE_UP_AFTER:
        return
    last = run.manifest.get("last_error") or "none was recorded"
    run.update(status="failed")
    raise RunError(
        f"gave up: {GIVE_UP_AFTER} sessions in a row ended without a checkpoint newer than step "
        f"{failed[0]['to_step']}; last error: {last}"
    )


def _keep_results(path: Path, checkpoint: Checkpoint | None) -> None:
    """Move the outputs of a finished run to `finished-at-<step>/` when it is extended, so that the folder has no
    outdated encoder until the run has finished again."""
    target = path / f"finished-at-{0 if checkpoint is None else checkpoint.step}"
    if not target.exists():
        _copy_results(path, target)
    for name in RESULTS:
        if (output := path / name).is_dir():
            shutil.rmtree(output)
        else:
            output.unlink(missing_ok=True)


def _copy_results(path: Path, target: Path) -> None:
    """Copy atomically: all of them, or no folder."""
    temporary = path / f".{target.name}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    for name in RESULTS:
        if (source := path / name).is_dir():
            shutil.copytree(source, temporary / name)
        elif source.exists():
            shutil.copyfile(source, temporary / name)
    temporary.replace(target)
