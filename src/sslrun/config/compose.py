"""From what Hydra composed, or a saved config.yaml, to typed objects; Hydra's errors in one line."""

import dataclasses
import re
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sslrun.config.checks import did_you_mean, near_or_all
from sslrun.config.command.base import COMMANDS, CommandConfig
from sslrun.config.errors import ConfigError
from sslrun.config.folders import conf_dir, group_files
from sslrun.config.registry import entries, find, load_all
from sslrun.config.resolvers import register_resolvers

C = TypeVar("C", bound=CommandConfig)
KIND_GROUPS = ("method", "backbone", "dataset", "optimizer")
"""Groups whose dataclass depends on `kind`."""


def compose(command: str, overrides: Sequence[str] = ()) -> CommandConfig:
    """The typed config of `sslrun <command> <overrides>`, for scripts and notebooks.

    Raises:
        ConfigError: as on the command line.
    """
    load_all()
    register_resolvers()
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return typed(command, hydra_compose(command, overrides=list(overrides)))
    except HydraException as error:
        raise ConfigError(one_line(error)) from error


def typed(command: str, config: DictConfig) -> CommandConfig:
    """Convert a composed config into its dataclass: required keys, unknown keys and ranges are checked here.

    Raises:
        ConfigError: one line with the full key, the value and the nearest valid name.
    """
    load_all()
    reject_unknown_keys(config, COMMANDS[command])
    missing = sorted(k for k in OmegaConf.missing_keys(config) if not k.startswith("hydra"))
    if missing:
        raise ConfigError(f"{missing[0]} is not set; say {missing[0]}=…")
    try:
        result = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(result, CommandConfig)
    return result


def reject_unknown_keys(config: DictConfig, schema: type) -> None:
    """Refuse keys that `+key=value` or a YAML file slipped past the schema."""
    for path, node in _typed_nodes(config, ""):
        names = [f.name for f in dataclasses.fields(node[1])]
        for key in node[0]:
            if key not in names:
                full = f"{path}.{key}" if path else str(key)
                raise ConfigError(f"{full}: no such key in {node[1].__name__}{near_or_all(str(key), names)}")


def _typed_nodes(config: Any, path: str) -> "typing.Iterator[tuple[str, tuple[Any, type]]]":
    if not isinstance(config, DictConfig) or config._is_missing() or config._is_none() or config._is_interpolation():
        return
    kind = OmegaConf.get_type(config)
    if dataclasses.is_dataclass(kind):
        yield path, (config, typing.cast(type, kind))
    for key in config:
        yield from _typed_nodes(config._get_node(key), f"{path}.{key!s}" if path else str(key))


def save(config: CommandConfig) -> str:
    """YAML of a typed config, as `load` reads it back; paths and enums become strings."""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True, width=120)


def plain(config: Any) -> Any:
    """A typed config as nested dicts and lists of numbers and strings."""
    return OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)


def load(command: str, path: Path) -> CommandConfig:
    """Read a saved config.yaml of `command` into its dataclass again.

    Raises:
        ConfigError: the file was written by another version, or edited, and no longer fits.
    """
    load_all()
    try:
        raw = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return from_plain(command, raw, origin=str(path))


def from_plain(command: str, raw: dict[str, Any], *, origin: str) -> CommandConfig:
    """The inverse of `plain`, also of folders that were written before a key was renamed."""
    schema = OmegaConf.structured(COMMANDS[command])
    raw = {COMMANDS[command].renamed.get(key, key): value for key, value in raw.items()}
    try:
        for group in KIND_GROUPS:
            if isinstance(raw.get(group), dict):
                schema[group] = OmegaConf.structured(find(group, raw[group]["kind"]).config)
        config = OmegaConf.merge(schema, raw)
    except (OmegaConfBaseException, KeyError) as error:
        raise ConfigError(f"{origin}: {one_line(error)}") from error
    assert isinstance(config, DictConfig)
    return typed(command, config)


def group_from_plain(group: str, raw: dict[str, Any]) -> Any:
    """One group's dataclass from its plain dict, e.g. the backbone out of an encoder's config.json."""
    merged = OmegaConf.merge(OmegaConf.structured(find(group, raw["kind"]).config), raw)
    return OmegaConf.to_object(merged)


def differences(old: dict[str, Any], new: dict[str, Any], *, ignore: tuple[str, ...] = ()) -> list[str]:
    """`key: old -> new` for every leaf that differs, except keys below one of `ignore`."""
    a, b = flatten(old), flatten(new)
    changed = [k for k in sorted(a.keys() | b.keys()) if a.get(k) != b.get(k)]
    return [
        f"{k}: {a.get(k)} -> {b.get(k)}" for k in changed if not any(k == i or k.startswith(f"{i}.") for i in ignore)
    ]


def flatten(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dicts as dotted keys; lists stay whole."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        full = f"{prefix}{key}"
        flat.update(flatten(value, f"{full}.") if isinstance(value, dict) else {full: value})
    return flat


def one_line(error: BaseException) -> str:
    """What Hydra or OmegaConf has to say, as one line that names key, value and the nearest valid name."""
    text = str(error.args[0] if error.args else error)
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
        near = did_you_mean(choice, names) or _of_another_folder(choice, names)
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
            return f"{match.group(1)}: a list is asked for; say {key}=[{value}]"
        return f"{match.group(1)}: {detail.removeprefix(f'{key}: ')}" if detail else first
    if full_key and not first.startswith(str(full_key)):
        return f"{full_key}: {first}"
    return first


def _of_another_folder(choice: str, names: list[str]) -> str:
    """`; did you mean 'digits/simclr'?` for `simclr`."""
    nested = [name for name in names if name.rsplit("/", 1)[-1] == choice.rsplit("/", 1)[-1]]
    return f"; did you mean '{nested[0]}'?" if nested else ""


def _unreadable(override: str) -> str:
    """An override that Hydra's grammar cannot read: a path with `=`, `(`, or letters beyond ASCII, most of the time."""
    key, equals, value = override.partition("=")
    if not re.fullmatch(r"[~+]*[\w./@:-]+", key) or not equals:
        return f"'{override}' is no setting; say group=name or key=value, a part of a list as key.0=value"
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
        if kind is dict:  # a mapping that takes any key
            return f"{full_key}: no such key so far; to add it, say +{full_key}=…"
        if dataclasses.is_dataclass(kind):
            names, owner = [f.name for f in dataclasses.fields(kind)], getattr(kind, "__name__", "")
        cause = cause.__cause__
    leaf = full_key.rsplit(".", 1)[-1]
    where = f" in {owner}" if owner else ""
    return f"{full_key}: no such key{where}{near_or_all(leaf, names)}"
