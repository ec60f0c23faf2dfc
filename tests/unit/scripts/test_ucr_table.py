"""The table of scripts/ucr_table.py, from rows made by hand."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

FACTS: dict[str, Any] = {"set": "ArrowHead", "machine": "2 cores of a processor, torch 2.15"}
ROWS: list[dict[str, Any]] = [
    {"encoder": "ts2vec", "seed": 1, "svm": [80.0, 74.0, 86.0], "linear": [70.0, 64.0, 76.0], "minutes": 1.0, **FACTS},
    {"encoder": "average", "seed": 1, "svm": [79.0, 73.0, 85.0], "linear": [70.0, 64.0, 76.0], **FACTS},
    {"encoder": "untrained", "seed": 1, "svm": [74.0, 68.0, 80.0], "linear": [60.0, 54.0, 66.0], **FACTS},
    {"encoder": "raw", "seed": 1, "svm": [84.0, 78.0, 90.0], "nn1": [80.0, 74.0, 86.0], **FACTS},
    {"encoder": "ts2vec", "seed": 2, "svm": [78.0, 72.0, 84.0], "linear": [72.0, 66.0, 78.0], "minutes": 2.0, **FACTS},
    {"encoder": "average", "seed": 2, "svm": [79.0, 73.0, 85.0], "linear": [70.0, 64.0, 76.0], **FACTS},
    {"encoder": "untrained", "seed": 2, "svm": [73.0, 67.0, 79.0], "linear": [61.0, 55.0, 67.0], **FACTS},
]


def test_seeds_make_a_line_with_its_interval(load_script: Callable[[str], ModuleType]) -> None:
    text = load_script("ucr_page").page(ROWS)
    # Student's t of one degree of freedom: 12.706; standard deviations 1.414, .707, .707 over the root of 2
    assert (
        "| ArrowHead | 2 | 79.0 [66.3, 91.7] | 79.0 [79.0, 79.0] | 73.5 [67.1, 79.9] | +5.5 [-0.9, +11.9] "
        "| 84.0 [78.0, 90.0] | 80.0 [74.0, 86.0] | 81.7 | 1.5 |\n"
    ) in text
    assert "    python scripts/ucr_table.py --seeds 1,2\n" in text
    assert "below the reference: none." in text and "above zero (of two seeds or more): none." in text
    worse = [{**row, "svm": [row["svm"][0] - 1, 0, 100]} if row["encoder"] == "ts2vec" else row for row in ROWS]
    assert "below the reference: ArrowHead." in load_script("ucr_page").page(worse)


def test_what_is_there_is_not_made_again(
    load_script: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = load_script("ucr_table")
    ran: list[tuple[str, ...]] = []

    def sslrun(*arguments: str) -> None:
        ran.append(arguments)
        folder = Path(arguments[-1].removeprefix("run.dir="))
        folder.mkdir(parents=True)
        facts = {"status": "finished", "seconds": 90.0, "hardware": {"cores": 2, "cpu": "P"}}
        facts |= {"resolved": {"device": "cpu"}, "versions": {"torch": "2"}}
        (folder / "run.json").write_text(json.dumps(facts))
        told = [("my/run", "svm"), ("my/run", "linear"), ("random", "svm"), ("lags", "svm"), ("lags", "nn1")]
        told = [("my/run/average", "svm")] if "baselines=[]" in arguments else told
        rows = [
            {"encoder": e, "evaluation": v, "metric": "top1", "value": 0.5, "low": 0.4, "high": 0.6} for e, v in told
        ]
        (folder / "results.json").write_text(json.dumps({"rows": rows}))

    monkeypatch.setattr(script, "sslrun", sslrun)
    monkeypatch.setattr(script, "sslrun_anew", lambda run, *arguments: sslrun(*arguments, f"run.dir={run}"))
    options = argparse.Namespace(
        seeds="1", sets="ArrowHead,GunPoint", data=tmp_path, work=tmp_path / "runs", out=tmp_path / "rows.jsonl"
    )
    script.append(options.out, ROWS[:4])
    assert script.make_rows(options) == []
    assert [arguments[0] for arguments in ran] == ["pretrain", "probe", "probe"] and "dataset.name=GunPoint" in ran[0]
    made = script.read_rows(options.out)[4:]
    assert [(row["encoder"], row["svm"]) for row in made] == [
        (encoder, [50.0, 40.0, 60.0]) for encoder in ("ts2vec", "untrained", "raw", "average")
    ]
    assert made[0]["minutes"] == 1.5 and made[2]["nn1"] == [50.0, 40.0, 60.0]
