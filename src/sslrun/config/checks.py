"""Range checks for `__post_init__`, and suggestions for misspelt names."""

import difflib
import math
from collections.abc import Iterable, Sequence
from typing import Any

from sslrun.config.errors import ConfigError


def check_range(
    key: str,
    value: float | None,
    *,
    at_least: float | None = None,
    above: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
) -> None:
    """Raise ConfigError naming `key`, its limits and `value` unless it is finite and in the interval; None passes."""
    if value is None:
        return
    inside = (
        math.isfinite(value)
        and (at_least is None or value >= at_least)
        and (above is None or value > above)
        and (at_most is None or value <= at_most)
        and (below is None or value < below)
    )
    if not inside:
        low = f"[{_plain(at_least)}" if at_least is not None else f"({_plain(above)}" if above is not None else "(-inf"
        high = f"{_plain(at_most)}]" if at_most is not None else f"{_plain(below)})" if below is not None else "inf)"
        raise ConfigError(f"{key} must be in {low}, {high}, got {_plain(value)}")


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"


def check_interval(key: str, values: Sequence[float], **limits: float) -> None:
    """Raise ConfigError unless `values` are two numbers, the smaller first, inside the limits of `check_range`."""
    if len(values) != 2 or values[0] > values[1]:
        raise ConfigError(f"{key} must be two numbers, the smaller first, got {list(values)}")
    for value in values:
        check_range(key, value, **limits)


def check_auto_or_int(key: str, value: Any, *, at_least: int) -> None:
    """Raise ConfigError unless `value` is `auto` or an integer of at least `at_least`."""
    if value == "auto":
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{key} must be 'auto' or a whole number, got {value!r}")
    check_range(key, value, at_least=at_least)


def check_multiple(key: str, value: int, *, of_key: str, of: int) -> None:
    """Raise ConfigError unless `value` is a multiple of `of`."""
    if value % of:
        raise ConfigError(f"{key}={value} is not a multiple of {of_key}={of}")


def check_transformer_width(prefix: str, dim: int, heads: int) -> None:
    """Raise ConfigError unless `dim` suits the heads and sine-cosine positions; keys are `prefix`_dim and _heads."""
    if dim % 4 or dim % heads:
        raise ConfigError(f"{prefix}_dim must be a multiple of 4 and of {prefix}_heads={heads}, got {dim}")


def check_one_of(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise ConfigError with the nearest valid name unless `value` is one of `choices`."""
    names = sorted(choices)
    if value not in names:
        raise ConfigError(f"{key}={value}: no such choice{did_you_mean(value, names)}; choose from {', '.join(names)}")


def check_path_or_splits(path: str | None, **named: str | None) -> None:
    """Raise ConfigError if both `dataset.path` and the path of a split are given: one of them would be ignored."""
    split = next((key for key, value in named.items() if value), None)
    if path and split:
        raise ConfigError(
            f"dataset.path={path} and dataset.{split} both say where data are; omit path, and name dataset.train too"
        )


def near_or_all(word: str, names: Iterable[str]) -> str:
    """`did_you_mean`, or `; it has a, b, c` if no name is close."""
    known = list(names)
    return did_you_mean(word, known) or (f"; it has {', '.join(known)}" if known else "")


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest of `choices`, or an empty string if none is close."""
    near = difflib.get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else ""


def check_budget(labels: Any) -> None:
    """Raise ConfigError unless a label budget is `all`, a positive integer, or a fraction in (0, 1)."""
    whole = isinstance(labels, int) and not isinstance(labels, bool) and labels >= 1
    fraction = isinstance(labels, float) and 0 < labels < 1
    if not (whole or fraction or labels == "all"):
        raise ConfigError(
            f"labels must be 'all', a whole number per class from 1, or a fraction in (0, 1), got {labels!r}"
        )
