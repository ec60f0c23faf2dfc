"""Sections of the configuration: dataclasses whose fields state their limits."""

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict, Unpack

from omegaconf import MISSING

from sslrun.config.checks import check_one_of, check_range


class Limits(TypedDict, total=False):
    """An interval, as for `check_range`, or the allowed names."""

    at_least: float
    above: float
    at_most: float
    below: float
    one_of: Collection[str]


def limited(default: Any = MISSING, **limits: Unpack[Limits]) -> Any:
    """A field with limits, `temperature: float = limited(above=0)`, which `Node` checks.

    They apply to each element of a list. Null passes. Without a default, a value is required.
    """
    metadata = {"limits": limits}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: [*default], metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


_nested_section: ContextVar[str | None] = ContextVar("_nested_section", default=None)


@contextmanager
def nested_at(section: str) -> Iterator[None]:
    """Within, error messages name keys below `section`, e.g. `method.text` for the text encoder of a method."""
    token = _nested_section.set(section)
    try:
        yield
    finally:
        _nested_section.reset(token)


@dataclass(kw_only=True)
class Node:
    """A section of the configuration; raises ConfigError if a field violates its limits.

    Attributes:
        section: its key in the configuration, e.g. `trainer`; empty for the root.
    """

    section: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "limits" not in field.metadata or value is None or value == MISSING:
                continue
            for number_or_name in value if isinstance(value, list | tuple) else [value]:
                _check(self.key_of(field.name), number_or_name, **field.metadata["limits"])

    def key_of(self, name: str) -> str:
        """The full key of a field, for messages."""
        section = _nested_section.get() or self.section
        return f"{section}.{name}" if section else name


def _check(key: str, value: Any, *, one_of: Collection[str] = (), **interval: float) -> None:
    if one_of:
        check_one_of(key, value, one_of)
    if interval:
        check_range(key, value, **interval)
