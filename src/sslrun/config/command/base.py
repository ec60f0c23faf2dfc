"""What every command has, and which there are."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

from sslrun.config.node import Node, limited
from sslrun.config.run import RunConfig
from sslrun.config.trainer import ACCELERATORS


@dataclass(kw_only=True)
class CommandConfig(Node):
    """What every command has.

    Attributes:
        renamed: former names of keys, which saved files may still have, and their present names.
    """

    renamed: ClassVar[dict[str, str]] = {}

    seed: int = limited(0, at_least=0, below=2**31)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(kw_only=True)
class FrozenConfig(CommandConfig):
    """A command that uses a trained encoder as it is, on one device."""

    encoder: str = MISSING
    accelerator: str = limited("auto", one_of=ACCELERATORS)


C = TypeVar("C", bound=type[CommandConfig])
COMMANDS: dict[str, type[CommandConfig]] = {}
"""Filled by `command` as the other modules of this package are imported (sslrun.config.registry.load_all)."""


def command(name: str) -> Callable[[C], C]:
    """Class decorator: the schema `schema/command/<name>` of Hydra."""

    def add(cls: C) -> C:
        COMMANDS[name] = cls
        ConfigStore.instance().store(group="schema/command", name=name, node=cls, provider="sslrun")
        return cls

    return add
