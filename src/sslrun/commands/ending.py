"""How a command ends: what run.json notes, what is printed, and the exit code."""

import importlib
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from sslrun.config.command.base import CommandConfig
from sslrun.config.errors import SslrunError
from sslrun.core.console import say
from sslrun.launch.requeue import requeue
from sslrun.runs import signals
from sslrun.runs.folder import RunFolder
from sslrun.runs.job import read_job
from sslrun.runs.newest import last_step
from sslrun.runs.rank import global_rank
from sslrun.runs.rank_errors import write_error
from sslrun.runs.storage import storage_error


def run_command(command: str, config: CommandConfig) -> float | None:
    """Call `sslrun.commands.<command>.run`; a signal ends it wherever it can be left.

    Raises:
        SystemExit: code 3, it was asked to stop.
    """
    run = importlib.import_module(f"sslrun.commands.{command}").run
    try:
        with signals.raising():
            value: float | None = run(config)
            return value
    except signals.Interrupted as asked:  # outside of a session, which leaves the process by itself
        leave(asked, "the same command starts it again")
    except Exception as error:
        if (rank := global_rank()) > 0 and config.run.dir is not None:
            write_error(Path(config.run.dir), rank, error)
        raise


def end_session(run: RunFolder, error: BaseException | None) -> None:
    """Note how a session ended, with `error` where there is one.

    Raises:
        SystemExit: code 3, it was asked to stop.
        RunError: the disk is full.
    """
    if isinstance(error, signals.Interrupted):
        run.end("interrupted")
        if read_job(run.path) is not None:  # `resume` would run it here, wherever that is
            again = "the command that launched it continues it"
        else:
            again = f"continue with: sslrun resume {run.path}"
        leave(error, again, saved=last_step(run.checkpoints) > 0)
    if error is not None:
        _fail(run, error)
    elif run.manifest["status"] == "running":
        run.end("finished")


def leave(asked: signals.Interrupted, again: str, *, saved: bool = False) -> NoReturn:
    """Requeue the process's SLURM job, if its end was not meant, say so, and exit.

    Args:
        again: what continues it, if SLURM does not.
    """
    if requeue(str(asked)):
        again = "it is in the queue again"
    say(f"\nstopped ({asked}){' and saved' if saved else ''}; {again}")
    sys.exit(signals.EXIT_CODE)


def _fail(run: RunFolder, error: BaseException) -> None:
    full = None if isinstance(error, SslrunError) else storage_error(error, run.path)
    if full is not None:
        run.end("failed", last_error=str(full))
        raise full from error
    last = " ".join(str(error).split()) or type(error).__name__
    run.end("interrupted" if isinstance(error, KeyboardInterrupt) else "failed", last_error=last)
    if not isinstance(error, SslrunError | KeyboardInterrupt):
        (run.path / "traceback.txt").write_text("".join(traceback.format_exception(error)))
