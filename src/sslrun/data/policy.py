"""From an entry of a policy's YAML to a transform, whatever it transforms."""

import inspect
from collections.abc import Mapping
from typing import Any

from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError


def name_and_arguments(entry: Any, *, key: str) -> tuple[str, dict[str, Any]]:
    """Of `Name` or `{Name: {argument: value}}`.

    Raises:
        ConfigError: it is neither; `key` says where it stands.
    """
    if isinstance(entry, str):
        return entry, {}
    if isinstance(entry, dict) and len(entry) == 1:
        ((name, arguments),) = entry.items()
        if arguments is None or isinstance(arguments, dict):
            return str(name), arguments or {}
    raise ConfigError(f"{key}: {entry!r} is neither a transform's name nor {{Name: {{argument: value}}}}")


def build_transform(
    entry: Any, transforms: Mapping[str, type], *given: Any, policy: str, of: str, remedy: str = ""
) -> Any:
    """The transform that an entry asks for.

    Args:
        transforms: those that there are, by name.
        given: what each is built with before the arguments of the entry.
        policy: name of the augmentation.
        of: what they transform, for messages.
        remedy: what to choose instead, for a name that is none.

    Raises:
        ConfigError: no such transform or argument, or no entry.
    """
    key = f"augmentation={policy}"
    name, arguments = name_and_arguments(entry, key=key)
    if name not in transforms:
        raise ConfigError(
            f"{key}: {name} is no transform of {of}{did_you_mean(name, transforms)}; there are "
            f"{', '.join(transforms)}{remedy}"
        )
    known = list(inspect.signature(transforms[name]).parameters)[len(given) :]
    for argument in arguments:
        if argument not in known:
            raise ConfigError(f"{key}: {name} takes no {argument}{did_you_mean(argument, known)}")
    return transforms[name](*given, **arguments)
