"""Common frame of commands that leave a run: check whether it is finished, do the work, write the report."""

from collections.abc import Callable
from typing import TypeVar

import pytorch_lightning as pl

from sslrun.commands.session import Session
from sslrun.config.command.base import CommandConfig
from sslrun.report.html import write_report
from sslrun.runs.rank import global_rank

Config = TypeVar("Config", bound=CommandConfig)


def run_with_report(command: str, config: Config, work: Callable[[Session, Config], str | None]) -> float | None:
    """Seed, do the work, write the report, print; for a finished run only say so, before loading anything.

    Args:
        work: opens the session; returns the closing text, or None if this process is done (other ranks, pruned runs).

    Returns:
        The command's main result, if it has one.
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
    """Say that the run is finished, and write its report if it is missing or outdated.

    The report is written after the run has ended: a kill in between leaves none, or the one from before an extension.
    """
    if session.is_pruned:
        print(f"{session.path} was pruned; run.trial.study=null continues it")
        return
    written = session.report.stat().st_mtime if session.report.exists() else 0.0
    if written < (session.path / "run.json").stat().st_mtime and global_rank() == 0:
        write_report(session.path)
    print(f"{session.path} is finished; its report: {session.report}")
