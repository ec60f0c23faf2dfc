"""Entry point `sslrun <command> [key=value …] [Hydra flags]`; heavy imports are deferred."""

import importlib
import os
import re
import select
import sys
from typing import TYPE_CHECKING, NoReturn

from sslrun.runs import signals

if TYPE_CHECKING:
    from omegaconf import DictConfig

HYDRA_COMMANDS = {
    "pretrain": "train an encoder on unlabelled data",
    "probe": "evaluate a frozen encoder: kNN, linear, few labels",
    "finetune": "train all weights of an encoder on labels",
    "preview": "an image of training examples and their augmented views",
    "zeroshot": "classify images by class names, and retrieve captions and images, with a trained clip",
    "search": "find the images of a folder that match a text, with a trained clip",
    "anomalies": "score how anomalous each timestamp of a series is, with a trained patchtst",
    "sample": "continue a prompt with a trained gpt",
}
PLAIN_COMMANDS = {
    "resume": "continue a run: sslrun resume RUN",
    "sweep": "write a sweep's report, at any time: sslrun sweep FOLDER",
    "export": "export the encoder of a run's checkpoint: sslrun export RUN FOLDER",
    "runs": "list runs with state, progress and best result: sslrun runs [FOLDER]",
    "logs": "follow a run's output: sslrun logs RUN",
    "list": "list methods, backbones, datasets, augmentations, optimizers, experiments",
    "doctor": "check this machine, and how to install what is missing",
}
COMMANDS = HYDRA_COMMANDS | PLAIN_COMMANDS
RESUMABLE = (*HYDRA_COMMANDS, "resume")
"""Commands that handle signals, so that they can be continued; a signal ends the others at once."""
STDOUT = 1


def usage() -> str:
    """Text of `sslrun --help`."""
    lines = [f"  {name:<10}{text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: sslrun <command> [group=name | key=value …] [-m] [--cfg job] [--help] [--config-dir DIR] [--debug]",
            "",
            *lines,
            "",
            "  sslrun pretrain method=byol",
            "  sslrun pretrain method=simclr dataset=imagefolder dataset.root=/data/images dataset.image_size=64",
            "  sslrun probe encoder=runs/pretrain/…",
            "  sslrun finetune encoder=runs/pretrain/… labels=10",
            "  sslrun pretrain -m method=byol,simclr seed=1,2,3",
            "",
            "`sslrun <command> --help` shows its configuration. --debug (or SSLRUN_DEBUG=1) shows tracebacks.",
            'Shell completion: eval "$(sslrun -sc install=bash)"',
        ]
    )


def main() -> None:
    """Run one command; user errors print one line and exit with code 2."""
    arguments = sys.argv[1:]
    if next((a for a in arguments if a != "--debug"), None) in RESUMABLE:
        signals.install()
    if "--debug" in arguments:
        arguments = [a for a in arguments if a != "--debug"]
        os.environ["SSLRUN_DEBUG"] = "1"
    if any(a in ("-sc", "--shell-completion") or a.startswith("--shell-completion=") for a in arguments):
        completed = _completion(arguments)
        if completed is None:
            return
        arguments = completed
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(usage())
        return
    if arguments[0] in ("-V", "--version"):
        from sslrun import __version__

        print(f"sslrun {__version__}")
        return
    command, *rest = arguments
    if command.startswith("-"):
        _exit(f"{command} before the command: write `sslrun <command> {command} …`; see `sslrun --help`")
    if command not in COMMANDS:
        from sslrun.config.checks import did_you_mean

        _exit(f"'{command}' is not a command{did_you_mean(command, COMMANDS)}; see `sslrun --help`")
    try:
        if command in PLAIN_COMMANDS:
            importlib.import_module(f"sslrun.commands.{command}").main(rest)
        else:
            _run_hydra(command, rest)
        sys.stdout.flush()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if isinstance(error, BrokenPipeError) and _reader_is_gone():
            sys.exit(128 + 13)
        _report(error)


def _reader_is_gone() -> bool:
    """Whether standard output is closed at the other end, as by `| head`; if so, redirect it to /dev/null."""
    output = select.poll()
    output.register(STDOUT, 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return True


def _report(error: Exception) -> NoReturn:
    """Exit with a user error as one line; re-raise anything else, which is a bug, with its traceback."""
    line = None if os.environ.get("SSLRUN_DEBUG") else _user_message(error)
    if line is None:
        raise error
    _exit(line)


def _user_message(error: Exception) -> str | None:
    """A user error as one line; None for a bug."""
    import yaml
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    from sslrun.config.errors import SslrunError

    if isinstance(error, OSError):  # Hydra makes the run folder
        from sslrun.runs.storage import storage_error

        place = error.filename or "run.dir, or the cache (dataset.cache_dir, $SSLRUN_CACHE),"
        error = storage_error(error, place, begun=False) or error
    if isinstance(error, SslrunError):
        return " ".join(str(error).split())
    if isinstance(error, HydraException | OmegaConfBaseException | yaml.MarkedYAMLError):
        from sslrun.config.messages import one_line

        return one_line(error)
    return None


def _exit(message: str) -> NoReturn:
    print(f"sslrun: error: {message}", file=sys.stderr)
    sys.exit(2)


def _run_hydra(command: str, rest: list[str]) -> None:
    import hydra  # here, so that `sslrun --help` stays fast
    from hydra.core.plugins import Plugins

    from sslrun.commands.task import config_dirs_of, run_task
    from sslrun.config.flags import parse_flags
    from sslrun.config.folders import conf_dir
    from sslrun.config.registry import load_all
    from sslrun.config.resolvers import register_resolvers
    from sslrun.config.search_path import UserConf, refuse_absent_group, refuse_contradiction, refuse_null

    load_all()
    register_resolvers()
    rest, is_sweep = parse_flags(command, rest)
    refuse_null(rest)
    refuse_absent_group(command, rest)
    refuse_contradiction(rest, config_dirs=config_dirs_of(rest))
    Plugins.instance().register(UserConf)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra passes errors on; `_report` formats them

    def task(config: "DictConfig") -> float | None:
        try:
            return run_task(command, rest, config)
        except Exception as error:  # reported here, since Hydra would add its own lines
            if is_sweep:  # the other runs continue; Hydra raises the first error at the end
                print(f"this run failed: {_user_message(error) or repr(error)}", file=sys.stderr, flush=True)
                raise
            _report(error)

    task.__module__ = f"sslrun.{command}"  # Hydra names the job after it
    program = sys.argv[0]
    sys.argv = [program, *rest]  # what Hydra parses
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=command)(task)()


def _completion(arguments: list[str]) -> list[str] | None:
    """Handle shell completion: `sslrun -sc query=bash` with COMP_LINE="sslrun pretrain meth".

    Complete the command here and return None; otherwise remove the command from COMP_LINE and return Hydra's arguments.
    """
    if not any(a.startswith("query=") for a in arguments):
        return arguments if arguments[0] in COMMANDS else ["pretrain", *arguments]
    line = os.environ.get("COMP_LINE", "")
    match = re.match(r"\s*(\S+)\s+(\S*)", line)
    word = match.group(2) if match else ""
    if word not in COMMANDS or line.endswith(word):
        print(" ".join(name for name in COMMANDS if name.startswith(word)))
        return None
    if word in PLAIN_COMMANDS:  # most take paths, which the shell completes
        if word == "list":
            from sslrun.commands.list import GROUPS

            last = line.split(" ")[-1]
            print(" ".join(name for name in GROUPS if name.startswith(last)))
        return None
    os.environ["COMP_LINE"] = re.sub(rf"^(\s*\S+\s+){word}\s", r"\1", line, count=1)
    return [word, *arguments]
