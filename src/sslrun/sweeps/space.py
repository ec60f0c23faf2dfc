"""The search space: Hydra's sweep syntax, from the command line or `hydra.sweeper.params`, as Optuna distributions."""

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
    """Searched and fixed parameters.

    Attributes:
        distributions: by override key.
        fixed: overrides of all trials.
    """

    distributions: dict[str, BaseDistribution]
    fixed: list[str]

    def overrides(self, params: Mapping[str, Any]) -> list[str]:
        """The overrides of one trial."""
        return [*self.fixed, *(f"{key}={text(value)}" for key, value in params.items())]


def parse_space(
    params: Mapping[str, Any], arguments: Sequence[str], *, config_loader: ConfigLoader | None = None
) -> Space:
    """Search space of `params` and the command line, which takes precedence.

    Raises:
        ConfigError: an empty or invalid range, or nothing to search.
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
    """A value in override syntax; choices keep their spelling."""
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _line(value: Any) -> str:
    """A YAML list is a choice; a single value needs the long form `choice(…)`, which does not support null."""
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
    """Numbers and null unchanged; anything else as its override text, which `text` returns unchanged."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, QuotedString):
        return value.with_quotes()
    return Override._get_value_element_as_str(value)
