"""Typed configurations from what Hydra composed, or from a saved config.yaml."""

import dataclasses
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import yaml
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sslrun.config.checks import near_or_all
from sslrun.config.command.base import COMMANDS, CommandConfig
from sslrun.config.errors import ConfigError
from sslrun.config.folders import conf_dir
from sslrun.config.messages import KIND_GROUPS, one_line
from sslrun.config.node import Node, nested_at
from sslrun.config.registry import find, load_all
from sslrun.config.resolvers import register_resolvers
from sslrun.config.search_path import UserConf, refuse_contradiction, refuse_null

C = TypeVar("C", bound=CommandConfig)


class TypedNode(NamedTuple):
    """A dataclass in a composed config, and its path there."""

    path: str
    config: DictConfig
    kind: type


def compose(command: str, overrides: Sequence[str] = ()) -> CommandConfig:
    """The typed config of `sslrun <command> <overrides>`, for scripts and notebooks.

    Raises:
        ConfigError: as on the command line.
    """
    load_all()
    register_resolvers()
    refuse_null([*overrides])
    refuse_contradiction([*overrides], config_dirs=[])
    Plugins.instance().register(UserConf)
    GlobalHydra.instance().clear()
    try:
        with initialize_config_dir(str(conf_dir()), version_base="1.3"):
            return typed(command, hydra_compose(command, overrides=list(overrides)))
    except (HydraException, yaml.MarkedYAMLError) as error:
        raise ConfigError(one_line(error)) from error


def typed(command: str, config: DictConfig) -> CommandConfig:
    """Convert a composed config into its dataclass: required keys, unknown keys and ranges are checked here.

    Raises:
        ConfigError: one line with the full key, the value and the nearest valid name.
    """
    load_all()
    nodes = [*_typed_nodes(config)]
    _reject_unknown_keys(nodes)
    missing = sorted(k for k in OmegaConf.missing_keys(config) if not k.startswith("hydra"))
    if missing:
        raise ConfigError(f"{missing[0]} is not set; say {missing[0]}=…")
    try:
        _check_nested(nodes)
        result = OmegaConf.to_object(config)
    except OmegaConfBaseException as error:
        raise ConfigError(one_line(error)) from error
    assert isinstance(result, CommandConfig)
    return result


def _reject_unknown_keys(nodes: Sequence[TypedNode]) -> None:
    """Refuse keys that bypassed the schema by `+key=value` or a YAML file."""
    for path, node, kind in nodes:
        names = [f.name for f in dataclasses.fields(kind)]
        for key in node:
            if key not in names:
                full = f"{path}.{key!s}" if path else str(key)
                raise ConfigError(f"{full}: no such key in {kind.__name__}{near_or_all(str(key), names)}")


def _check_nested(nodes: Sequence[TypedNode]) -> None:
    """Check nodes outside their usual section, so that errors name `method.text.heads`, not `backbone.heads`."""
    for path, node, kind in reversed(nodes):  # innermost first
        if issubclass(kind, Node) and path != kind.section:
            with nested_at(path):
                OmegaConf.to_object(node)


def _typed_nodes(config: Any, path: str = "") -> Iterator[TypedNode]:
    """All typed nodes, outer before inner."""
    if not isinstance(config, DictConfig) or config._is_missing() or config._is_none() or config._is_interpolation():
        return
    kind = OmegaConf.get_type(config)
    if kind is not None and dataclasses.is_dataclass(kind):
        yield TypedNode(path, config, kind)
    for key in config:
        yield from _typed_nodes(config._get_node(key), f"{path}.{key!s}" if path else str(key))


def save(config: CommandConfig) -> str:
    """YAML of a typed config, readable by `load`; paths and enums become strings."""
    return yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True, width=120)


def plain(config: Any) -> Any:
    """A typed config as nested dicts and lists of numbers and strings, 100x faster than by OmegaConf."""
    if dataclasses.is_dataclass(config):
        return {field.name: plain(getattr(config, field.name)) for field in dataclasses.fields(config)}
    if isinstance(config, dict):
        return {key: plain(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        return [plain(value) for value in config]
    return config.name if isinstance(config, Enum) else str(config) if isinstance(config, Path) else config


def load(command: str, path: Path) -> CommandConfig:
    """Load a saved config.yaml of `command` into its dataclass.

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
    """The inverse of `plain`; also reads configurations saved before a key was renamed."""
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
    """One group's dataclass from its plain dict, e.g. the backbone in an encoder's config.json."""
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
    """Nested dicts as dotted keys; lists are leaves."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        full = f"{prefix}{key}"
        flat.update(flatten(value, f"{full}.") if isinstance(value, dict) else {full: value})
    return flat
