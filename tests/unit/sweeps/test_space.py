"""Overrides and YAML become the same distributions."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from sslrun.config.errors import ConfigError
from sslrun.sweeps.space import parse_space


@pytest.mark.parametrize(
    ("written", "distribution"),
    [
        ("interval(0.05, 0.5)", FloatDistribution(0.05, 0.5)),
        ("tag(log, interval(1e-3, 1))", FloatDistribution(1e-3, 1.0, log=True)),
        ("interval(0, 1)", FloatDistribution(0.0, 1.0)),
        ("int(interval(1, 8))", IntDistribution(1, 8)),
        ("int(tag(log, interval(8, 512)))", IntDistribution(8, 512, log=True)),
        ("range(0, 10, 4)", IntDistribution(0, 8, step=4)),
        ("range(0.1, 0.5, 0.1)", FloatDistribution(0.1, 0.4, step=0.1)),
        ("byol,simclr", CategoricalDistribution(["byol", "simclr"])),
        ("1e-6, 0, null, true", CategoricalDistribution([1e-6, 0, None, True])),
        ("[a],[b,c]", CategoricalDistribution(["[a]", "[b,c]"])),
    ],
)
def test_the_command_line_and_yaml_say_the_same(written: str, distribution: object) -> None:
    by_line = parse_space({}, [f"x={written}", "seed=3"])
    by_yaml = parse_space({"x": written}, ["seed=3"])
    assert by_line == by_yaml
    assert by_line.distributions == {"x": distribution} and by_line.fixed == ["seed=3"]


def test_a_list_in_yaml_is_a_choice_and_the_command_line_wins() -> None:
    space = parse_space({"lr": [0.1, None], "method": "byol,simclr"}, ["method=mae"])
    assert space.distributions == {"lr": CategoricalDistribution([0.1, None])}
    assert space.fixed == ["method=mae"]


def test_values_are_spelled_as_overrides() -> None:
    space = parse_space({}, ["name='a, b','c'", "x=null,true", "keep=1"])
    assert space.overrides({"name": space.distributions["name"].choices[0], "x": None}) == [
        "keep=1", "name='a, b'", "x=null",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=3"], "nothing to search"),
        (["x=interval(2.0, 1.0)"], "x cannot be searched"),
        (["x=tag(log, interval(0.0, 1.0))"], "x cannot be searched"),
        (["x=range(3, 3)"], "the range is empty"),
    ],
)
def test_a_space_that_cannot_be_is_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_space({}, arguments)
