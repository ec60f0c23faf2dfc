"""Parts of the configuration: dataclasses whose fields state their limits."""

import dataclasses
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict, Unpack

from omegaconf import MISSING

from sslrun.config.checks import check_one_of, check_range


class Limits(TypedDict, total=False):
    """An interval of numbers, as for `check_range`, or the names to choose from."""

    at_least: float
    above: float
    at_most: float
    below: float
    one_of: Collection[str]


def limited(default: Any = MISSING, **limits: Unpack[Limits]) -> Any:
    """A field with limits, `temperature: float = limited(above=0)`, which `Node` checks.

    They hold for each element of a list. Null passes. Without a default, a value is required.
    """
    metadata = {"limits": limits}
    if isinstance(default, list):
        return dataclasses.field(default_factory=lambda: [*default], metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


_nested_place: ContextVar[str | None] = ContextVar("_nested_place", default=None)


@contextmanager
def nested_at(place: str) -> Iterator[None]:
    """Nodes made inside name their keys below `place`, e.g. `method.text` for the backbone of a method."""
    token = _nested_place.set(place)
    try:
        yield
    finally:
        _nested_place.reset(token)


@dataclass(kw_only=True)
class Node:
    """A part of the configuration; raises ConfigError where a field is out of its limits.

    Attributes:
        place: key of the part in the configuration, e.g. `trainer`; empty for the whole.
    """

    place: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if "limits" not in field.metadata or value is None or value == MISSING:
                continue
            for number_or_name in value if isinstance(value, list | tuple) else [value]:
                _check(self.key_of(field.name), number_or_name, **field.metadata["limits"])

    def key_of(self, name: str) -> str:
        """The full key of a field, for messages."""
        place = _nested_place.get() or self.place
        return f"{place}.{name}" if place else name


def _check(key: str, value: Any, *, one_of: Collection[str] = (), **interval: float) -> None:
    if one_of:
        check_one_of(key, value, one_of)
    if interval:
        check_range(key, value, **interval)
