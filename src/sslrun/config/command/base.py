"""Bases of the commands' configurations, and their registry."""

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
    """Keys of every command.

    Attributes:
        renamed: former key -> current key, for files saved by older versions.
    """

    renamed: ClassVar[dict[str, str]] = {}

    seed: int = limited(0, at_least=0, below=2**31)
    run: RunConfig = field(default_factory=RunConfig)


@dataclass(kw_only=True)
class FrozenConfig(CommandConfig):
    """A command that uses a frozen encoder, on one device."""

    encoder: str = MISSING
    accelerator: str = limited("auto", one_of=ACCELERATORS)


C = TypeVar("C", bound=type[CommandConfig])
COMMANDS: dict[str, type[CommandConfig]] = {}
"""Filled by `command` when the other modules of this package are imported (sslrun.config.registry.load_all)."""


def command(name: str) -> Callable[[C], C]:
    """Class decorator: register the class as Hydra's `schema/command/<name>`."""

    def add(cls: C) -> C:
        COMMANDS[name] = cls
        ConfigStore.instance().store(group="schema/command", name=name, node=cls, provider="sslrun")
        return cls

    return add
