"""The search space: Hydra's sweep syntax, on the command line or in `hydra.sweeper.params`, as distributions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override, QuotedString, RangeSweep
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from sslrun.config.errors import ConfigError


@dataclass(frozen=True)
class Space:
    """What is searched and what stays.

    Attributes:
        distributions: by key, as an override names it.
        fixed: overrides that every trial has.
    """

    distributions: dict[str, BaseDistribution]
    fixed: list[str]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of one trial."""
        return [*self.fixed, *(f"{key}={text(value)}" for key, value in params.items())]


def parse_space(
    params: Mapping[str, Any], arguments: Sequence[str], *, config_loader: ConfigLoader | None = None
) -> Space:
    """Search space of `params` and of the command line, which wins where both name a key.

    Raises:
        ConfigError: an empty or wrong range, or nothing to search.
    """
    parser = OverridesParser.create(config_loader=config_loader)
    lines = [*(f"{key}={_line(value)}" for key, value in params.items()), *arguments]
    parsed = {override.get_key_element(): override for override in parser.parse_overrides(lines)}
    searched = {key: o for key, o in parsed.items() if o.is_sweep_override()}
    if not searched:
        raise ConfigError(
            "nothing to search: give a range, as optimizer.lr='tag(log,interval(1e-3,1))', or hydra.sweeper.params"
        )
    return Space(
        distributions={key: _distribution(key, override) for key, override in searched.items()},
        fixed=[str(o.input_line) for key, o in parsed.items() if key not in searched],
    )


def text(value: Any) -> str:
    """A value as an override spells it; choices are kept as they were written."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _line(value: Any) -> str:
    """A list in YAML is a choice; of one value it needs its long form, which knows no null."""
    if not isinstance(value, list | tuple):
        return text(value)
    values = ",".join(map(text, value))
    return values if len(value) > 1 else f"choice({values})"


def _distribution(key: str, override: Override) -> BaseDistribution:
    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            assert value.start is not None and value.end is not None
            log = "log" in value.tags
            if isinstance(value.start, int) and isinstance(value.end, int) and "float" not in value.tags:
                return IntDistribution(value.start, value.end, log=log)
            return FloatDistribution(float(value.start), float(value.end), log=log)
        if isinstance(value, RangeSweep) and not value.shuffle and not _descending(value):
            points = list(value.range())
            if not points:
                raise ValueError("the range is empty")
            if all(isinstance(p, int) for p in points):
                return IntDistribution(int(points[0]), int(points[-1]), step=int(value.step))
            return FloatDistribution(float(points[0]), float(points[-1]), step=float(value.step))
        choices = list(dict.fromkeys(map(_choice, override.sweep_iterator())))
        if not choices:
            raise ValueError("no choice matches")
        return CategoricalDistribution(choices)
    except ValueError as error:
        raise ConfigError(f"{override.input_line}: {key} cannot be searched: {error}") from error


def _descending(value: RangeSweep) -> bool:
    return float(value.step) <= 0


def _choice(value: Any) -> Any:
    """Numbers and words as they are; anything else as its override text, which `text` gives back unchanged."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, QuotedString):
        return value.with_quotes()
    return Override._get_value_element_as_str(value)
