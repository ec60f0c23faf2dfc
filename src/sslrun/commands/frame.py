"""What frames the work of a command that leaves a run: the check for a finished one before it, the report after it."""

from collections.abc import Callable
from typing import TypeVar

import pytorch_lightning as pl

from sslrun.commands.session import Session
from sslrun.config.command.base import CommandConfig
from sslrun.report.html import write_report
from sslrun.runs.rank import global_rank

Config = TypeVar("Config", bound=CommandConfig)


def run_framed(command: str, config: Config, work: Callable[[Session, Config], str | None]) -> float | None:
    """Seed, work, draw the report, print; for a finished run only say so, before anything is loaded.

    Args:
        work: opens the session; returns the closing lines, or None if this process is done: on further ranks, in pruned
            runs.

    Returns:
        The command's main number, if it has one.
    """
    session = Session(command, config)
    if session.is_finished():
        announce_finished(session)
        return session.value
    pl.seed_everything(config.seed, verbose=False)
    closing = work(session, config)
    if closing is None:
        return None
    write_report(session.path)
    print(closing)
    return session.value


def announce_finished(session: Session) -> None:
    """Say that there is nothing to do, and draw a report that is missing.

    It is drawn after the run has ended: a kill then leaves none, or that of the run before it was extended.
    """
    if session.is_pruned:
        print(f"{session.path} was pruned; run.trial.study=null continues it")
        return
    drawn = session.report.stat().st_mtime if session.report.exists() else 0.0
    if drawn < (session.path / "run.json").stat().st_mtime and global_rank() == 0:
        write_report(session.path)
    print(f"{session.path} is finished; its report: {session.report}")
