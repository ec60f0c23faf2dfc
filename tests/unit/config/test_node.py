"""Limits of fields."""

from dataclasses import dataclass
from typing import Any, ClassVar

import pytest
from omegaconf import MISSING, OmegaConf

from sslrun.config.errors import ConfigError
from sslrun.config.node import Node, limited, nested_at


@dataclass(kw_only=True)
class Example(Node):
    section: ClassVar[str] = "example"

    share: float | None = limited(at_least=0, below=1)
    word: str = limited("a", one_of=("a", "b"))
    sizes: list[int] = limited([1, 2], at_least=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"share": 1.0}, "example.share must be in [0, 1), got 1"),
        ({"word": "c"}, "example.word=c: no such choice; choose from a, b"),
        ({"sizes": [3, 0]}, "example.sizes must be in [1, inf), got 0"),
    ],
)
def test_a_value_outside_its_limits_is_named_by_its_key(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Example(**given)
    assert str(caught.value) == message


def test_null_and_what_is_not_set_pass() -> None:
    assert Example(share=None).share is None
    assert Example().share == MISSING


def test_each_object_has_its_own_list() -> None:
    Example().sizes.append(3)
    assert Example().sizes == [1, 2]


def test_a_nested_node_names_its_place() -> None:
    with pytest.raises(ConfigError, match=r"^method.inner.share must be"), nested_at("method.inner"):
        Example(share=2.0)
    with pytest.raises(ConfigError, match=r"^example.share must be"):
        Example(share=2.0)


def test_omegaconf_merges_and_checks() -> None:
    merged = OmegaConf.merge(OmegaConf.structured(Example), {"share": 0.5, "sizes": [4]})
    assert OmegaConf.to_object(merged) == Example(share=0.5, sizes=[4])
    with pytest.raises(ConfigError, match=r"^example.share must be"):
        OmegaConf.to_object(OmegaConf.merge(merged, {"share": -1}))
