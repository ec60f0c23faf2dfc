"""Session of a run: open the folder, print what was resolved, record how it ended."""

import hashlib
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from sslrun.commands.ending import end_session
from sslrun.commands.seen_data import changes_since, describe_data, parent_data_warnings
from sslrun.config.command.base import CommandConfig
from sslrun.config.errors import RunError
from sslrun.config.run import OnChange
from sslrun.core.console import say
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.runs import signals
from sslrun.runs.changes import changed_length, length_of, refuse_changes, refuse_length
from sslrun.runs.folder import RunFolder
from sslrun.runs.forks import find_location
from sslrun.runs.length import Length, resolve_length
from sslrun.runs.manifest import manifest_if_any
from sslrun.runs.newest import Checkpoint, newest
from sslrun.runs.opening import open_run, refuse_other_command, save_changed_config
from sslrun.runs.rank import global_rank
from sslrun.runs.results import main_value, read_rows
from sslrun.training.plan import Plan, with_length


class Session:
    """One session of a run; ranks above 0 write nothing."""

    def __init__(self, command: str, config: CommandConfig) -> None:
        self.command, self.config = command, config
        self.location = find_location(command, config)
        self.path = self.location.path
        config.run.dir = str(self.path)
        self._run: RunFolder | None = None
        self._length: Length | None = None
        self._end_callbacks: list[Callable[[BaseException | None], None]] = []
        self._warnings: list[str] = []

    @contextmanager
    def open(self, *, parent: Path | None = None) -> Iterator["Session"]:
        """Lock the folder; record an exception in run.json as `interrupted` or `failed`. The run stays resumable.

        Args:
            parent: the run that trained this run's encoder.
        """
        if global_rank() == 0:
            parent_path = None if parent is None else str(parent)
            self._run = open_run(self.command, self.config, parent=parent_path, fork_of=self.location.fork_of)
            for note in self._run.notes:
                print(note, flush=True)
        ending: BaseException | None = None
        try:
            yield self
        except BaseException as error:
            ending = error
            raise
        finally:
            self._end(ending)

    def _end(self, error: BaseException | None) -> None:
        signals.note_only()  # a second signal must not interrupt recording the first
        try:
            if self._run is not None:
                end_session(self._run, error)
            elif isinstance(error, signals.Interrupted):
                sys.exit(0)  # rank 0 determines the exit code
        finally:
            for function in self._end_callbacks:
                function(error)

    def add_end_callback(self, function: Callable[[BaseException | None], None]) -> None:
        """Call `function` with the exception that ended the session, once run.json is written and the job requeued."""
        self._end_callbacks.append(function)

    @property
    def name(self) -> str:
        """Name of the run in tables."""
        return "/".join(self.path.parts[-2:])

    @property
    def report(self) -> Path:
        """Path of the run's report."""
        return self.path / "report.html"

    @property
    def is_pruned(self) -> bool:
        """Whether the run was pruned by its study, and is still that trial."""
        return self._manifest.get("status") == "pruned" and self.config.run.trial.study is not None

    def is_finished(self) -> bool:
        """Whether the folder's run has finished or was pruned, and is not to be extended.

        Raises:
            RunError: the folder has a run of another command or configuration.
        """
        refuse_other_command(self._manifest, self.command, self.path)
        if self._manifest.get("status") != "finished" and not self.is_pruned:
            return False
        refuse_changes(self.command, self.config, self.path)
        return not changed_length(self.command, self.config, self.path)

    @property
    def _manifest(self) -> dict[str, Any]:
        """run.json; in an open session on rank 0, the copy in memory."""
        return manifest_if_any(self.path) if self._run is None else self._run.manifest

    def check_data(self, data: Data) -> None:
        """Compare the dataset with the one that the run started with.

        Raises:
            RunError: split sizes have changed, and `run.on_change=continue` is not given.
        """
        known = self._manifest.get("data") or {}
        refuses = self.config.run.on_change is OnChange.refuse
        self._warnings += changes_since(known, data, refuses=refuses)

    def compare_with(self, parent: Path | None, data: Data, *, same: bool) -> None:
        """Warn if the run `parent` used another version of this dataset, or other splits of it.

        Args:
            same: whether the dataset is configured as in that run.
        """
        if parent is not None:
            self._warnings += parent_data_warnings(parent, data, same=same)

    @property
    def resumed(self) -> bool:
        """Whether this session continues an earlier one."""
        return self._run is not None and self._run.resumed

    def settle(self, plan: Plan) -> Plan:
        """The plan with the length that the run was first started with, or extended to.

        Raises:
            RunError: fewer steps than the run has done are requested, or more without `run.extend`.
        """
        known = self.location.fork_of or self.path
        manifest = manifest_if_any(known)
        changed, step = False, 0
        if manifest:
            refuse_length(self.command, self.config, known)
            changed = changed_length(self.command, self.config, known)
            found = newest(known / "checkpoints") if changed else None
            step = 0 if found is None else found.step
            if self.location.fork_of is not None and manifest["status"] == "finished" and not changed:
                raise RunError(
                    f"{known} has finished, a fork has nothing to train; give a longer trainer.epochs and run.extend"
                )
        self._length = resolve_length(
            manifest, planned=plan.total_steps, changed=changed, step=step, extend=self.config.run.extend
        )
        return with_length(plan, self._length)

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """The checkpoint to resume from; verified only once per session."""
        if self._run is not None:
            return self._run.checkpoint
        return newest((self.location.fork_of or self.path) / "checkpoints")

    @property
    def processes_and_workers(self) -> tuple[int | None, int | None]:
        """Number of processes, and of loader workers per process, in the latest session that trained."""
        return self._manifest.get("world"), self._manifest.get("workers")

    @property
    def wandb_id(self) -> str:
        """The run's id at wandb, the same in all sessions."""
        recorded: str | None = self._manifest.get("wandb_id")  # None in older folders
        return recorded or hashlib.sha1(str(self.path).encode()).hexdigest()[:12]

    @property
    def seconds_before(self) -> float:
        """Duration of earlier sessions."""
        return float(self._manifest.get("seconds", 0.0))

    def start(self, *, resolved: dict[str, str], data: Data, **fields: Any) -> None:
        """Write the resolved settings and further fields to run.json, and print warnings."""
        if self._run is None:
            return
        if self._length is not None:
            fields |= {
                "total_steps": self._length.total_steps,
                "schedule_start": self._length.phases[-1].start,
                "extended": self._length.extended,
                "length": length_of(self.config),
            }
        warnings = self._run.warnings_with(self._warnings)
        self._run.update(resolved=resolved, data=describe_data(data), warnings=warnings, **fields)
        for line in self._warnings:
            print(f"warning: {line}", flush=True)
        if self._run.resumed:
            save_changed_config(self._run, self.command, self.config)

    def finish(self, rows: list[Row], *, data: Data, **fields: Any) -> None:
        """Write results.json and mark the run as finished; from here on signals are ignored."""
        signals.note_only()
        if self._run is not None:
            self._run.write_rows(rows)
            fields["warnings"] = self._run.warnings_with(fields.get("warnings", ()))
            self._run.end("finished", data=describe_data(data), **fields)

    def fail(self, reason: str) -> None:
        """Mark the run as failed, before this process is killed."""
        if self._run is not None:
            self._run.end("failed", last_error=reason)

    def prune(self, reason: str) -> None:
        """Mark the run as pruned by its study."""
        signals.note_only()
        if self._run is not None:
            self._run.end("pruned", pruned=reason)
            say(f"pruned: {reason}")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of results.json; empty before the run has finished."""
        return read_rows(self.path)

    @property
    def value(self) -> float | None:
        """The command's main result in results.json; None if there is none."""
        return main_value(self.path, self.command)


def print_resolved(session: Session, resolved: dict[str, str]) -> None:
    """Print the block of resolved settings, on rank 0."""
    if global_rank() > 0:
        return
    head = "resume" if session.resumed else session.command
    width = max(len(k) for k in resolved) + 2
    lines = [f"{head} {session.path}", *(f"  {key:<{width}}{value}" for key, value in resolved.items())]
    print("\n".join(lines), flush=True)
