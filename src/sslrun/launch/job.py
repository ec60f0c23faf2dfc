"""A job: a command line in a run folder, and how it ended."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sslrun.config.overrides import quoted
from sslrun.core.atomic import write_json, write_text
from sslrun.runs.job import LOG, RECORD, last_error
from sslrun.runs.manifest import manifest_or_empty, now
from sslrun.runs.results import main_value

SCRIPT = "job.sh"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One run to start.

    Attributes:
        number: within its sweep.
        arguments: of `sslrun`, starting with the command; they include the folder.
        folder: the run folder, absolute.
        cwd: base of relative paths in the arguments.
        nodes, tasks_per_node: training processes.
        done: whether the folder has this run finished already, so that nothing needs to start.
    """

    number: int
    arguments: tuple[str, ...]
    folder: Path
    cwd: Path
    nodes: int = 1
    tasks_per_node: int = 1
    done: bool = False

    @property
    def log(self) -> Path:
        """Output of the run."""
        return self.folder / LOG

    @property
    def script(self) -> Path:
        """The shell script of the job; running it again by hand continues the run."""
        return self.folder / SCRIPT

    def write_script(self) -> None:
        """Write `job.sh` into the run folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = shlex.join([sys.executable, "-m", "sslrun", *self.arguments])
        write_text(self.script, f"#!/bin/bash\ncd {shlex.quote(str(self.cwd))} || exit 2\nexec {command}\n")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a job ended.

    Attributes:
        status: as in run.json; `failed` if there is none; `submitted` if the launcher did not wait.
        value: the command's main metric, if it has one.
        error: one line, if it failed.
    """

    job: Job
    status: str
    value: float | None = None
    error: str | None = None


def job_arguments(
    command: str, task: Sequence[str], *, folder: Path, config_dirs: Sequence[str] = (), hydra: Sequence[str] = ()
) -> tuple[str, ...]:
    """The command line of a single run in `folder`, executed in the process that it starts."""
    run_dir = ("run.dir=", "+run.dir=", "++run.dir=")
    return (
        command,
        *(f"--config-dir={path}" for path in config_dirs),
        *(o for o in task if not o.startswith(run_dir)),
        *hydra,
        f"run.dir={quoted(str(folder))}",
        "hydra/launcher=basic",
    )


def write_record(job: Job, *, launcher: str, identity: str, task: int | None, script: Path | None) -> None:
    """Write `job.json`: the launcher, the job's id there, and its arguments."""
    record = {
        "launcher": launcher,
        "job": identity,
        "task": task,
        "submitted": now(),
        "script": None if script is None else str(script),
        "arguments": list(job.arguments),
    }
    write_json(job.folder / RECORD, record)


def outcome(job: Job) -> Outcome:
    """How a job that no longer runs ended, according to its folder."""
    manifest = manifest_or_empty(job.folder)
    status = manifest.get("status")
    if status == "finished":
        return Outcome(job=job, status=status, value=main_value(job.folder, manifest["command"]))
    if status == "pruned":
        return Outcome(job=job, status=status)
    if status == "interrupted":
        return Outcome(job=job, status=status, error="stopped and saved; the same command continues it")
    error = manifest.get("last_error") if status == "failed" else None
    return Outcome(job=job, status="failed", error=f"{error or last_error(job.log)}; see {job.log}")
