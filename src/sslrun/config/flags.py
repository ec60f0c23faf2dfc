"""Hydra's command-line flags, checked before Hydra parses them: it would print its usage, or a traceback."""

from typing import NoReturn

from hydra._internal.utils import get_args_parser

from sslrun.config.errors import ConfigError


def parse_flags(command: str, arguments: list[str]) -> tuple[list[str], bool]:
    """The arguments with overrides before flags, as Hydra's parser needs them; and whether this is a sweep.

    Raises:
        ConfigError: an unknown flag, a wrong value of one, or flags that exclude each other.
    """
    parser = get_args_parser()

    def refuse(message: str) -> NoReturn:
        raise ConfigError(f"{message}; see `sslrun {command} --help`")

    parser.error = refuse  # type: ignore[method-assign]
    found = parser.parse_intermixed_args(arguments)
    modes = {"-m": found.multirun, "--run": found.run, "--cfg": found.cfg, "--info": found.info}
    given = [flag for flag, value in modes.items() if value]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} exclude each other; give one of them")
    if found.resolve and not (found.cfg or found.help):
        raise ConfigError("--resolve goes with --cfg; write --cfg job --resolve")
    flags = list(arguments)
    for override in found.overrides:
        flags.remove(override)
    return [*found.overrides, *flags], bool(found.multirun)
