"""Which checkpoint a run resumes from: the newest that can be read. Reads only files, without torch."""

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
"""The newest one; the ones before it are `step-00001234.ckpt`."""
KEYS = ("global_step", "state_dict")


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that was read from end to end.

    Attributes:
        damaged: newer files that could not be read, each with the reason.
    """

    path: Path
    step: int
    damaged: dict[Path, str] = field(default_factory=dict)


def newest(folder: Path) -> Checkpoint | None:
    """The newest undamaged checkpoint of `folder`; None where none was ever written. Changes nothing.

    Raises:
        RunError: there are checkpoints, and all are damaged: starting anew is for the user to say. Or the disk does not
            give the newest one, which may be whole.
    """
    damaged: dict[Path, str] = {}
    for path in candidates(folder):
        try:
            return Checkpoint(path, verify(path), damaged)
        except FileNotFoundError:
            continue  # set aside by another rank
        except OSError as error:
            raise RunError(
                f"{path} cannot be read: {error.strerror or error}; it may be whole: mend the disk or its permissions, "
                "then give the same command again"
            ) from error
        except ValueError as error:
            damaged[path] = str(error)
    if gone := [*damaged, *sorted(folder.glob("*.damaged"))]:
        raise RunError(
            f"no checkpoint in {folder} can be read ({', '.join(p.name for p in gone)} damaged); put a good copy there "
            f"as {LAST}, or remove the folder to start the run anew"
        )
    return None


def candidates(folder: Path) -> list[Path]:
    """Checkpoints of the run's course, the newest first."""
    last = folder / LAST
    return ([last] if last.exists() else []) + sorted(folder.glob("step-*.ckpt"), reverse=True)


def verify(path: Path) -> int:
    """Optimizer step of a checkpoint, of which every byte has been read once against its checksum.

    Raises:
        ValueError: the file is cut short, changed, or no checkpoint of a run.
        OSError: the disk does not give it.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            if (bad := archive.testzip()) is not None:
                raise ValueError(f"{bad} does not match its checksum")
            return _step(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:  # which a place before the file's start gives
            raise
        raise ValueError(" ".join(str(error).split()) or type(error).__name__) from error


def step_of(path: Path) -> int | None:
    """Optimizer step as the file's first bytes say, none of the weights read; None where it cannot be read."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _step(archive)
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, RuntimeError, ValueError):
        return None


def last_step(folder: Path) -> int:
    """Step of the newest checkpoint in `folder`; 0 if there is none."""
    return next((step for path in candidates(folder) if (step := step_of(path)) is not None), 0)


def _step(archive: zipfile.ZipFile) -> int:
    """The keys stand at the head of the pickle, before any tensor."""
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
    """Rename what is damaged to `*.damaged`; a line for each."""
    lines = []
    for path, reason in checkpoint.damaged.items():
        target = path.with_name(f"{path.name}.damaged")
        with contextlib.suppress(FileNotFoundError):
            path.replace(target)
        lines.append(
            f"{path.name} is damaged ({reason}) and is now {target.name}; "
            f"the run goes on from {checkpoint.path.name}, step {checkpoint.step}"
        )
    return lines


def name_of(step: int) -> str:
    """File name under which a checkpoint stays when a newer one becomes the last."""
    return f"step-{step:08d}.ckpt"


def keep_former(folder: Path, step: int) -> None:
    """Give last.ckpt, which is that of `step`, its own name too, before it is replaced."""
    last, own = folder / LAST, folder / name_of(step)
    if not last.exists() or (own.exists() and own.samefile(last)):
        return
    link_or_copy(last, own)


def link_or_copy(source: Path, target: Path) -> None:
    """`target` becomes `source`, whole or not at all; copied where the filesystem has no hard links."""
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
    """Remove the oldest beyond `keep`, last.ckpt counted among them."""
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True)[keep - 1 :]:
        path.unlink(missing_ok=True)


def remove_temporaries(folder: Path) -> None:
    """Remove what a killed process was writing in a run folder; only its holder may."""
    for place in (folder, folder / "checkpoints", folder / "encoder"):
        for path in place.glob(".*.tmp"):
            if not path.name.startswith(".job.json."):  # the launcher's, who does not hold the folder
                path.unlink(missing_ok=True)
