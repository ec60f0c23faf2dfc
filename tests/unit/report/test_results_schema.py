"""results.json is for programs: its keys change only with SCHEMA_VERSION, and the documentation names each."""

from pathlib import Path

import pytest

from sslrun.core.rows import SCHEMA_VERSION, Row

KEYS = [
    "encoder",
    "dataset",
    "split",
    "evaluation",
    "metric",
    "value",
    "low",
    "high",
    "n",
    "draws",
    "seed",
    "condition",
    "labels",
]
DOCUMENTATION = Path(__file__).parents[3] / "docs" / "run-folder.md"


def test_keys_of_a_row() -> None:
    row = Row(encoder="e", dataset="d", split="test", evaluation="linear", metric="top1", value=0.5, n=1, seed=0)
    assert SCHEMA_VERSION == 1
    assert row.as_json() == dict(
        zip(KEYS, ["e", "d", "test", "linear", "top1", 0.5, None, None, 1, 1, 0, "", "all"], strict=True)
    )


@pytest.mark.parametrize("key", KEYS)
def test_documentation_names_each_key(key: str) -> None:
    assert f"\n| `{key}` |" in DOCUMENTATION.read_text(encoding="utf-8")
