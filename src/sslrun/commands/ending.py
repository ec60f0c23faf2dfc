"""End of a command: status in run.json, messages, and exit code."""

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
    """Call `sslrun.commands.<command>.run`; a signal raises within it.

    Raises:
        SystemExit: code 3, stopped by a signal.
    """
    run = importlib.import_module(f"sslrun.commands.{command}").run
    try:
        with signals.raising():
            value: float | None = run(config)
            return value
    except signals.Interrupted as interrupt:  # outside of a session, which exits by itself
        exit_interrupted(interrupt, "the same command starts it again")
    except Exception as error:
        if (rank := global_rank()) > 0 and config.run.dir is not None:
            write_error(Path(config.run.dir), rank, error)
        raise


def end_session(run: RunFolder, error: BaseException | None) -> None:
    """Write how a session ended to run.json.

    Args:
        error: what ended it, if any.

    Raises:
        SystemExit: code 3, stopped by a signal.
        RunError: the disk is full.
    """
    if isinstance(error, signals.Interrupted):
        run.end("interrupted")
        if read_job(run.path) is not None:  # `resume` would run it on this machine
            again = "the command that launched it continues it"
        else:
            again = f"continue with: sslrun resume {run.path}"
        exit_interrupted(error, again, saved=last_step(run.checkpoints) > 0)
    if error is not None:
        _fail(run, error)
    elif run.manifest["status"] == "running":
        run.end("finished")


def exit_interrupted(interrupt: signals.Interrupted, again: str, *, saved: bool = False) -> NoReturn:
    """Requeue the process's SLURM job unless it was cancelled, print what continues the run, and exit.

    Args:
        again: how to continue the run if SLURM does not.
    """
    if requeue(str(interrupt)):
        again = "it is in the queue again"
    say(f"\nstopped ({interrupt}){' and saved' if saved else ''}; {again}")
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
