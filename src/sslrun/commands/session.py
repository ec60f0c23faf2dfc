"""What every command does around its work: open the folder, note how it ended, print what was resolved."""

import hashlib
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

from sslrun.commands.ending import end_session
from sslrun.commands.seen_data import changed_since, describe_data, seen_otherwise
from sslrun.config.command.base import CommandConfig
from sslrun.config.errors import RunError
from sslrun.config.run import OnChange
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.report.html import write_report
from sslrun.runs import signals
from sslrun.runs.changes import changed_length, length_of, refuse_changes, refuse_length
from sslrun.runs.folder import RunFolder
from sslrun.runs.forks import find_place
from sslrun.runs.length import Length, settle
from sslrun.runs.manifest import manifest_if_any
from sslrun.runs.newest import Checkpoint, newest
from sslrun.runs.opening import adopt, open_run
from sslrun.runs.rank import global_rank
from sslrun.runs.results import main_value, read_rows
from sslrun.training.plan import Plan, with_length


class Session:
    """One session of a run, as a context manager; on ranks above 0 it reads and writes nothing.

    Attributes:
        parent: the run that this one's encoder comes from; set before entering.

    Leaving it with an exception notes `interrupted` or `failed` in run.json; the folder stays usable.
    """

    def __init__(self, command: str, config: CommandConfig) -> None:
        self.command, self.config = command, config
        self.parent: Path | None = None
        self.place = find_place(command, config)
        self.path = self.place.path
        config.run.dir = str(self.path)
        self._run: RunFolder | None = None
        self._length: Length | None = None
        self._afterwards: list[Callable[[BaseException | None], None]] = []
        self._warnings: list[str] = []

    def __enter__(self) -> "Session":
        if global_rank() == 0:
            parent = None if self.parent is None else str(self.parent)
            self._run = open_run(self.command, self.config, parent=parent, fork_of=self.place.fork_of)
            for note in self._run.notes:
                print(note, flush=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signals.note_only()  # a second one must not cut off what is noted of the first
        try:
            if self._run is not None:
                end_session(self._run, error)
            elif isinstance(error, signals.Interrupted):
                sys.exit(0)  # rank 0 tells the exit code
        finally:
            for function in self._afterwards:
                function(error)

    def afterwards(self, function: Callable[[BaseException | None], None]) -> None:
        """Call it, with what ended the session, once run.json tells of it and the job is in the queue again."""
        self._afterwards.append(function)

    @property
    def name(self) -> str:
        """What tables call this run."""
        return "/".join(self.path.parts[-2:])

    def tell_finished(self) -> bool:
        """Whether the folder's run has ended as it should; then says so, before anything is loaded.

        Raises:
            RunError: the folder holds another configuration, or another command's run.
        """
        manifest = manifest_if_any(self.path)
        pruned = manifest.get("status") == "pruned" and self.config.run.trial.study is not None
        if manifest.get("status") != "finished" and not pruned:
            return False
        if manifest["command"] != self.command:
            return False
        refuse_changes(self.command, self.config, self.path)
        if changed_length(self.command, self.config, self.path):
            return False
        if pruned:
            print(f"{self.path} was pruned; run.trial.study=null goes on with it")
        else:
            self._draw_missing_report()
            print(f"{self.path} is finished; its report: {self.path / 'report.html'}")
        return True

    def _draw_missing_report(self) -> None:
        """It is drawn after the run has ended: a kill then leaves none, or that of the run before it was extended."""
        report = self.path / "report.html"
        known = report.stat().st_mtime if report.exists() else 0.0
        if known < (self.path / "run.json").stat().st_mtime and global_rank() == 0:
            write_report(self.path)

    def check_data(self, data: Data) -> None:
        """Compare the dataset with the one that the folder's run began on.

        Raises:
            RunError: its splits were cut anew, and `run.on_change=continue` is not said.
        """
        known = manifest_if_any(self.path).get("data") or {}
        refuses = self.config.run.on_change is OnChange.refuse
        self._warnings += changed_since(known, data, refuses=refuses)

    def compare_with_parent(self, data: Data, *, same: bool) -> None:
        """Note where the encoder's own run saw another state of this dataset, or cut it into other splits.

        Args:
            same: whether the dataset is that run's own, as it was configured there.
        """
        if self.parent is not None:
            self._warnings += seen_otherwise(self.parent, data, same=same)

    @property
    def resumed(self) -> bool:
        """Whether the folder held this run before."""
        return self._run is not None and self._run.resumed

    def settle(self, plan: Plan) -> Plan:
        """The plan with the length that the run fixed when it first started, or that it is extended to.

        Raises:
            RunError: fewer steps are asked for than the run has done, or more without `run.extend`.
        """
        known = self.place.fork_of or self.path
        manifest = manifest_if_any(known)
        changed, step = False, 0
        if manifest:
            refuse_length(self.command, self.config, known)
            changed = changed_length(self.command, self.config, known)
            found = newest(known / "checkpoints") if changed else None
            step = 0 if found is None else found.step
            if self.place.fork_of is not None and manifest["status"] == "finished" and not changed:
                raise RunError(
                    f"{known} has finished, a fork has nothing to train; give a longer trainer.epochs and run.extend"
                )
        self._length = settle(
            manifest, planned=plan.total_steps, changed=changed, step=step, extend=self.config.run.extend
        )
        return with_length(plan, self._length)

    @cached_property
    def checkpoint(self) -> Checkpoint | None:
        """What the run goes on from, within the session; read from end to end once."""
        if self._run is not None:
            return self._run.checkpoint
        return newest((self.place.fork_of or self.path) / "checkpoints")

    @property
    def trained_by(self) -> tuple[int | None, int | None]:
        """Processes, and loader workers of each, of the latest session that trained."""
        manifest = manifest_if_any(self.path)
        return manifest.get("world"), manifest.get("workers")

    @property
    def wandb_id(self) -> str:
        """The run's name at wandb, kept over all sessions."""
        known: str | None = manifest_if_any(self.path).get("wandb_id")  # older folders have none
        return known or hashlib.sha1(str(self.path).encode()).hexdigest()[:12]

    @property
    def seconds_before(self) -> float:
        """Seconds of earlier sessions."""
        return float(manifest_if_any(self.path).get("seconds", 0.0))

    def start(self, *, resolved: dict[str, str], data: Data, **fields: Any) -> None:
        """Note what was resolved; an encoder's `inputs` among it."""
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
            adopt(self._run, self.command, self.config)

    def finish(self, rows: list[Row], *, data: Data, **fields: Any) -> None:
        """Write results.json and mark the run finished; from here on a signal stops nothing."""
        signals.note_only()
        if self._run is not None:
            self._run.write_rows(rows)
            fields["warnings"] = self._run.warnings_with(fields.get("warnings", ()))
            self._run.end("finished", data=describe_data(data), **fields)

    def fail(self, reason: str) -> None:
        """Mark the run as failed, where this process is about to be ended."""
        if self._run is not None:
            self._run.end("failed", last_error=reason)

    def prune(self, reason: str) -> None:
        """Mark the run as given up by its study's pruner, which is no failure."""
        signals.note_only()
        if self._run is not None:
            self._run.end("pruned", pruned=reason)
            print(f"pruned: {reason}", file=sys.stderr, flush=True)

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Rows of results.json; none before the run has finished."""
        return read_rows(self.path)

    @property
    def value(self) -> float | None:
        """The command's main number in results.json; None where there is none."""
        return main_value(self.path, self.command)


def print_resolved(session: Session, resolved: dict[str, str]) -> None:
    """The block that says what the configuration comes to here."""
    if global_rank() > 0:
        return
    head = "resume" if session.resumed else session.command
    width = max(len(k) for k in resolved) + 2
    lines = [f"{head} {session.path}", *(f"  {key:<{width}}{value}" for key, value in resolved.items())]
    print("\n".join(lines), flush=True)
