"""One entry point: `sslrun <command> [key=value …] [Hydra's flags]`. Imports nothing heavy."""

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
    "probe": "measure a frozen encoder: kNN, linear, few labels",
    "finetune": "train all weights of an encoder on labels",
    "preview": "a picture of training images and their views",
    "zeroshot": "classes by their names, and captions and images that find each other, by a trained clip",
    "search": "the pictures of a folder that fit a text, by a trained clip",
    "anomalies": "how badly each timestamp of a series fits, by a trained patchtst",
    "sample": "text by a trained gpt, continuing a prompt",
}
PLAIN_COMMANDS = {
    "resume": "continue a run: sslrun resume RUN",
    "sweep": "a sweep's page, at any time: sslrun sweep FOLDER",
    "export": "an encoder out of a run's checkpoint: sslrun export RUN FOLDER",
    "runs": "what each run does now, how far and how good it is: sslrun runs [FOLDER]",
    "logs": "what a run prints, as it comes: sslrun logs RUN",
    "list": "methods, backbones, datasets, augmentations, optimizers, experiments",
    "doctor": "what this machine has, and how to get what is missing",
}
COMMANDS = HYDRA_COMMANDS | PLAIN_COMMANDS
CONTINUED = (*HYDRA_COMMANDS, "resume")
"""Commands that can be continued after they are asked to stop, and say so; a signal ends the others at once."""
STDOUT = 1


def usage() -> str:
    """The text of `sslrun --help`."""
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
    """Run one command; the user's errors are one line and exit code 2."""
    arguments = sys.argv[1:]
    if next((a for a in arguments if a != "--debug"), None) in CONTINUED:
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
    """Whether nobody reads what is printed, as after `| head`; what is still to be written then goes nowhere."""
    output = select.poll()
    output.register(STDOUT, 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), STDOUT)
    return True


def _report(error: Exception) -> NoReturn:
    """Exit with the user's error as one line; anything else is our bug and keeps its traceback."""
    line = None if os.environ.get("SSLRUN_DEBUG") else _user_message(error)
    if line is None:
        raise error
    _exit(line)


def _user_message(error: Exception) -> str | None:
    """The user's error as one line; None for a bug of ours."""
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
    from sslrun.config.folders import conf_dir
    from sslrun.config.registry import load_all
    from sslrun.config.resolvers import register_resolvers
    from sslrun.config.search_path import UserConf, refuse_absent_group, refuse_contradiction, refuse_null

    load_all()
    register_resolvers()
    refuse_null(rest)
    refuse_absent_group(command, rest)
    refuse_contradiction(rest, config_dirs=config_dirs_of(rest))
    Plugins.instance().register(UserConf)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors arrive here whole, to be put into one line

    def task(config: "DictConfig") -> float | None:
        try:
            return run_task(command, rest, config)
        except Exception as error:  # here already: Hydra would add lines of its own
            if sweep:  # whose other runs go on; Hydra raises the first error at the end
                print(f"this run failed: {_user_message(error) or repr(error)}", file=sys.stderr, flush=True)
                raise
            _report(error)

    task.__module__ = f"sslrun.{command}"  # Hydra names the job after it
    rest.sort(key=lambda argument: argument not in ("-m", "--multirun"))  # Hydra's parser wants it before the overrides
    sweep = rest[:1] in (["-m"], ["--multirun"])
    program = sys.argv[0]
    sys.argv = [program, *rest]  # what Hydra parses
    hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name=command)(task)()


def _completion(arguments: list[str]) -> list[str] | None:
    """Hydra's completion asks `sslrun -sc query=bash` with COMP_LINE="sslrun pretrain meth": take the command out of
    that line, and complete the command itself if it is not there yet (then None: it is done)."""
    if not any(a.startswith("query=") for a in arguments):
        return arguments if arguments[0] in COMMANDS else ["pretrain", *arguments]
    line = os.environ.get("COMP_LINE", "")
    match = re.match(r"\s*(\S+)\s+(\S*)", line)
    word = match.group(2) if match else ""
    if word not in COMMANDS or line.endswith(word):
        print(" ".join(name for name in COMMANDS if name.startswith(word)))
        return None
    if word in PLAIN_COMMANDS:
        return None
    os.environ["COMP_LINE"] = re.sub(rf"^(\s*\S+\s+){word}\s", r"\1", line, count=1)
    return [word, *arguments]
