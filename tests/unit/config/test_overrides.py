"""What is written as an override, read by Hydra's own parser."""

import random

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from sslrun.config.overrides import quoted

LETTERS = "ab é日/\\\\\"\"'',={}[]():$%#~+.!;&\t"
ODD = ["", "/home/josé/a b", "C:\\runs\\", 'a\\"b', "it's", "a,b", "k=v", "$HOME", "\\\\", '"', "\\u00e9", "null", "1"]


@pytest.mark.parametrize("seed", range(4))
def test_hydra_gives_back_every_character(seed: int) -> None:
    generator, parser = random.Random(seed), OverridesParser.create()
    drawn = ["".join(generator.choices(LETTERS, k=generator.randint(1, 12))) for _ in range(40)]
    for text in [*ODD, *drawn]:
        assert parser.parse_override(f"run.dir={quoted(text)}").value() == text
        in_a_dict = parser.parse_override(f"run.trial={{study:{quoted(text)},number:1}}").value()
        assert in_a_dict == {"study": text, "number": 1}
