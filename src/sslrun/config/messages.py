"""Hydra's and OmegaConf's errors as one line."""

import dataclasses
import re

import yaml
from hydra.errors import HydraException, OverrideParseException

from sslrun.config.checks import did_you_mean, near_or_all
from sslrun.config.command.base import COMMANDS
from sslrun.config.folders import group_files
from sslrun.config.registry import entries

KIND_GROUPS = ("method", "backbone", "dataset", "optimizer")
"""Groups whose dataclass depends on `kind`."""


def one_line(error: BaseException) -> str:
    """An error of Hydra or OmegaConf as one line that names key, value and the nearest valid name."""
    if isinstance(error, yaml.MarkedYAMLError):
        return _yaml_error(error)
    text = str(error.args[0] if error.args else error)
    # only a group's file is named here; if an override does not fit, Hydra names the command's own file
    if match := re.match(r"In '(\w+/[^']+)': (?:\w+ raised while composing config:\n)?", text):
        problem = text[match.end() :]
        if named := re.match(r"Could not override '([^']*@[^']*)'", problem):
            group = named.group(1).partition("@")[0]
            return f"{match.group(1)}.yaml: override /{group} works in a file that begins with `# @package _global_`"
        return f"{match.group(1)}.yaml: {one_line(HydraException(problem))}"
    full_key = getattr(error, "full_key", None) or _search(r"full_key: (\S+)", text)
    if isinstance(error, OverrideParseException):
        return _unreadable(error.override)
    if match := re.search(r"Ambiguous value for argument '(.+)'$", text, re.M):
        override = match.group(1)
        quoted = override.replace("=", '="', 1) + '"'
        return f"{override}: several values are a sweep, say -m; a text with commas needs quotes: '{quoted}'"
    if match := re.search(r"Could not find '((?:hydra/)?[^'/]+)/([^']*)'", text):
        group, choice = match.groups()
        names = sorted(group_files(group)) or sorted(re.findall(r"^\t(\S+)$", text, re.M))
        names = names or [e.kind for e in entries(group)]
        near = did_you_mean(choice, names) or _in_subfolder(choice, names)
        return f"{group}={choice}: no such {group}{near}; choose from {', '.join(names)}"
    if match := re.search(
        r"Could not override '([^']+)'.*?(?:Key '[^']+' (?:is )?not in '?(?:struct|(\w+))'?)?", text, re.S
    ):
        return _unknown_key(match.group(1), error)
    if match := re.search(r"Key '([^']+)' (?:is )?not in '(\w+)'", text):
        return _unknown_key(full_key or match.group(1), error)
    if "Recursive interpolation" in text:
        return f"{full_key} refers to itself; say {full_key}=…"
    first = next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)
    if match := re.search(r"Error merging override (\S+)", text):
        cause = getattr(error, "__cause__", None)
        detail = one_line(cause) if cause is not None else ""
        key, _, value = match.group(1).partition("=")
        if "is not a ListConfig" in detail:
            return f"{match.group(1)}: a list is required; say {key}=[{value}]"
        return f"{match.group(1)}: {detail.removeprefix(f'{key}: ')}" if detail else first
    if full_key and not first.startswith(str(full_key)):
        return f"{full_key}: {first}"
    return first


def _in_subfolder(choice: str, names: list[str]) -> str:
    """`; did you mean 'digits/simclr'?` for `simclr`."""
    nested = [name for name in names if name.rsplit("/", 1)[-1] == choice.rsplit("/", 1)[-1]]
    return f"; did you mean '{nested[0]}'?" if nested else ""


def _unreadable(override: str) -> str:
    """For an override that Hydra's grammar cannot parse, usually a path with `=`, `(`, or non-ASCII letters."""
    key, equals, value = override.partition("=")
    if not re.fullmatch(r"[~+]*[\w./@:-]+", key) or not equals:
        return f"'{override}' is not a setting; say group=name or key=value, a part of a list as key.0=value"
    if value[:1] in ("[", "{", '"', "'"):
        return f"{override}: Hydra cannot read this value; a bracket or a quote is missing, or some text needs quotes"
    return f"{override}: Hydra cannot read this value without quotes; say '{key}=\"{value}\"'"


def _search(pattern: str, text: str) -> str | None:
    match = re.search(pattern, text)
    return match.group(1) if match else None


def _unknown_key(full_key: str, error: BaseException) -> str:
    cause: BaseException | None = error
    names: list[str] = []
    owner = ""
    while cause is not None:
        kind = getattr(cause, "object_type", None)
        if kind is dict:  # accepts any key
            return f"{full_key}: no such key so far; to add it, say +{full_key}=…"
        if dataclasses.is_dataclass(kind):
            names, owner = [f.name for f in dataclasses.fields(kind)], getattr(kind, "__name__", "")
        cause = cause.__cause__
    if not names and (kind := _class_named(_search(r"object_type=(\w+)", str(error)))):
        names, owner = [f.name for f in dataclasses.fields(kind)], kind.__name__
    leaf = full_key.rsplit(".", 1)[-1]
    where = f" in {owner}" if owner else ""
    return f"{full_key}: no such key{where}{near_or_all(leaf, names)}"


def _class_named(name: str | None) -> type | None:
    """A config class by its name, which is all that Hydra's error gives."""
    of_groups = [entry.config for group in KIND_GROUPS for entry in entries(group)]
    of_commands = list(COMMANDS.values())
    below = [field.type for command in of_commands for field in dataclasses.fields(command)]
    known = [kind for kind in (*of_groups, *of_commands, *below) if dataclasses.is_dataclass(kind)]
    return next((kind for kind in known if isinstance(kind, type) and kind.__name__ == name), None)


def _yaml_error(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark
    where = "a file of the configuration" if mark is None else f"{mark.name}, line {mark.line + 1}"
    return f"{where}: {error.problem or 'not valid YAML'}"
