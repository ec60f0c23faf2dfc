"""The checkpoint that a run resumes from: the newest readable one. Imports no torch."""

import contextlib
import errno
import os
import pickletools
import shutil
import zipfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from sslrun.config.errors import RunError

LAST = "last.ckpt"
"""The newest checkpoint; earlier ones are `step-00001234.ckpt`."""
KEYS = ("global_step", "state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """A verified checkpoint.

    Attributes:
        damaged: newer unreadable files -> reason.
    """

    path: Path
    step: int
    damaged: dict[Path, str] = field(default_factory=dict)


def newest(folder: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint of `folder`; None if none was ever written. Changes nothing.

    Raises:
        RunError: all checkpoints are damaged, and only the user may decide to start over; or reading the newest one
            failed, which may be intact.
    """
    damaged: dict[Path, str] = {}
    for path in candidates(folder):
        try:
            return Checkpoint(path, verify(path), damaged)
        except FileNotFoundError:
            continue  # renamed by another rank
        except OSError as error:
            raise RunError(
                f"{path} cannot be read: {error.strerror or error}; it may be intact: fix the disk or the permissions, "
                "then rerun the same command"
            ) from error
        except ValueError as error:
            damaged[path] = str(error)
    if gone := [*damaged, *sorted(folder.glob("*.damaged"))]:
        raise RunError(
            f"no checkpoint in {folder} can be read ({', '.join(p.name for p in gone)} damaged); put a good copy there "
            f"as {LAST}, or remove the folder to start the run over"
        )
    return None


def candidates(folder: Path) -> list[Path]:
    """Periodic checkpoints, newest first."""
    last = folder / LAST
    return ([last] if last.exists() else []) + sorted(folder.glob("step-*.ckpt"), reverse=True)


def verify(path: Path) -> int:
    """Verify all checksums of a checkpoint and return its optimizer step.

    Raises:
        ValueError: the file is truncated, corrupt, or no checkpoint of a run.
        OSError: reading failed.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise ValueError(f"{bad} does not match its checksum")
            return _step(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # EINVAL: a corrupt offset
            raise
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def step_of(path: Path) -> int | None:
    """Optimizer step of a checkpoint, without reading any weights; None if it is unreadable."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _step(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError, ValueError):
        return None


def last_step(folder: Path) -> int:
    """Step of the newest checkpoint in `folder`; 0 if there is none."""
    return next((step for path in candidates(folder) if (step := step_of(path)) is not None), 0)


def _step(archive: zipfile.ZipFile) -> int:
    """Read the step from the start of the pickle, before any tensor."""
    name = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
    if name is None:
        raise ValueError("it is no torch checkpoint")
    found: dict[str, object] = {}
    key: object = None
    with archive.open(name) as stream:
        for operation, value, _ in pickletools.genops(stream):
            if key in KEYS and "PUT" not in operation.name and operation.name != "MEMOIZE":
                found[str(key)] = value
                if len(found) == len(KEYS):
                    break
                key = None
            elif operation.name.endswith("UNICODE"):
                key = value
    step = found.get("global_step")
    if len(found) < len(KEYS) or not isinstance(step, int):
        raise ValueError("it is no checkpoint of a run")
    return step


def set_aside(checkpoint: Checkpoint) -> list[str]:
    """Rename damaged files to `*.damaged`; return a message for each."""
    lines = []
    for path, reason in checkpoint.damaged.items():
        target = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(FileNotFoundError):
            path.replace(target)
        lines.append(
            f"{path.name} is damaged ({reason}) and is now {target.name}; "
            f"the run continues from {checkpoint.path.name}, step {checkpoint.step}"
        )
    return lines


def name_of(step: int) -> str:
    """File name of a checkpoint that is no longer the last."""
    return f"step-{step:08d}.ckpt"


def keep_previous(folder: Path, step: int) -> None:
    """Link last.ckpt, of `step`, under its own name before it is replaced."""
    last, own = folder / LAST, folder / name_of(step)
    if not last.exists() or (own.exists() and own.samefile(last)):
        return
    link_or_copy(last, own)


def link_or_copy(source: Path, target: Path) -> None:
    """Atomically hard-link `source` to `target`; copy it if the file system has no hard links."""
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        try:
            temporary.hardlink_to(source)
        except OSError:
            shutil.copyfile(source, temporary)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def remove_old(folder: Path, *, keep: int) -> None:
    """Remove the oldest checkpoints beyond `keep`, which includes last.ckpt."""
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True)[keep - 1 :]:
        path.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove temporary files of killed processes in a run folder; requires the folder's lock."""
    for parent in (folder, folder / "checkpoints", folder / "encoder"):
        for path in parent.glob(".*.tmp"):
            if not path.name.startswith(".job.json."):  # the launcher writes it without the lock
                path.unlink(missing_ok=True)
