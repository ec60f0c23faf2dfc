"""The table of scripts/cifar10_table.py, from rows made by hand."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sslrun.config.backbone.resnet import ResNetConfig, Stem
from sslrun.config.backbone.timm import TimmConfig

NET = "resnet18, width 16, stem small"
FACTS = {"architecture": NET, "budget_minutes": 6.0, "machine": "2 cores of a processor, torch 2.15"}
SIMCLR = {
    "method": "simclr", "seed": 1, **FACTS, "linear": [55.0, 54.0, 56.0], "knn20": [50.0, 49.0, 51.0],
    "few10": [22.0, 20.0, 24.0], "rankme": 40.2, "steps": 707, "epochs": 4.04,
    "images_per_second": 551.3, "minutes": 6.21,
}  # fmt: skip
RANDOM = {
    "method": "random", "seed": 1, **FACTS,
    "linear": [34.0, 33.0, 35.0], "knn20": [33.0, 32.0, 34.0], "few10": [20.0, 19.0, 21.5],
    "rankme": 7.6,
}  # fmt: skip


@pytest.fixture
def script(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("cifar10_table")


@pytest.fixture
def page(load_script: Callable[[str], ModuleType]) -> ModuleType:
    return load_script("cifar10_page")


def test_two_rows_make_the_table(script: ModuleType, page: ModuleType, tmp_path: Path) -> None:
    script.append(tmp_path / "rows.jsonl", [RANDOM])
    script.append(tmp_path / "rows.jsonl", [SIMCLR])
    text = page.page(script.read_rows(tmp_path / "rows.jsonl"))
    assert "    python scripts/cifar10_table.py --minutes 6 --seeds 1\n" in text
    assert "Machine: 2 cores of a processor, torch 2.15." in text
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    assert lines[1:] == [
        "| simclr | 55.0 [54.0, 56.0] | 50.0 [49.0, 51.0] | 22.0 [20.0, 24.0] | 40 | 707 | 4.0 | 551 | 6.2 | "
        + NET
        + " |",
        "| untrained | 34.0 [33.0, 35.0] | 33.0 [32.0, 34.0] | 20.0 [19.0, 21.5] | 8 |  |  |  |  | " + NET + " |",
    ]
    assert text.endswith("untrained:\n\n- linear: none\n- kNN 20: none\n- 10 labels per class: simclr\n")


def test_the_page_says_which_rows_average_how_many_subsets(page: ModuleType) -> None:
    more = {**SIMCLR, "method": "ibot", "draws": 20}
    assert page.draws_lines([SIMCLR, RANDOM]) == ["With 10 labels per class: mean of 5 random subsets."]
    assert page.draws_lines([SIMCLR, RANDOM, more]) == [
        "With 10 labels per class: mean of 5 random subsets; 20 for ibot."
    ]


def test_seeds_are_averaged_and_the_worst_counts(page: ModuleType) -> None:
    weak: dict[str, Any] = {**SIMCLR, "seed": 2, "linear": [35.0, 34.5, 35.5]}
    lines = page.table_lines([weak, SIMCLR, RANDOM])
    assert lines[2].startswith("| simclr | 45.0 [54.0, 56.0] [34.5, 35.5] |")
    assert page.not_above([weak, SIMCLR, RANDOM], "linear", "random") == ["simclr"]


def test_a_further_seed_takes_the_steps_of_the_first(script: ModuleType, page: ModuleType) -> None:
    later = {key: value for key, value in SIMCLR.items() if key != "images_per_second"} | {"seed": 2}
    assert script.first_seed_length("simclr", [later, SIMCLR, RANDOM]) == {"epochs": 4.04, "steps": 707}
    assert script.first_seed_length("byol", [SIMCLR]) is None
    assert "| 40 | 707 | 4.0 | 551 | 6.2 |" in page.table_lines([later, SIMCLR])[2]  # one number of steps, one speed
    assert "| 40 | 707 800 | 4.0 | 551 | 6.2 |" in page.table_lines([{**later, "steps": 800}, SIMCLR])[2]


def test_labelled_methods_come_after_the_others_and_references_last(page: ModuleType) -> None:
    best = {**SIMCLR, "method": "supervised", "linear": [90.0, 89.0, 91.0]}
    better = {**SIMCLR, "method": "byol", "linear": [60.0, 59.0, 61.0]}
    order = [line.split(" | ")[0] for line in page.table_lines([best, RANDOM, SIMCLR, better])[2:]]
    assert order == ["| byol", "| simclr", "| supervised", "| untrained"]


def test_numbers_come_from_results_json(script: ModuleType) -> None:
    common = {"encoder": "run", "metric": "top1", "value": 0.5, "low": 0.25, "high": 0.75}
    found = [
        {**common, "evaluation": "linear", "labels": "all"},
        {**common, "evaluation": "linear", "labels": "all", "metric": "top5", "value": 1.0},
        {**common, "evaluation": "knn20", "labels": "all"},
        {**common, "evaluation": "few_labels", "labels": 10},
        {**common, "encoder": "random", "evaluation": "linear", "labels": "all", "value": 0.1},
    ]
    expected = {name: [50.0, 25.0, 75.0] for name in ("linear", "knn20", "few10")}
    assert script.numbers(json.loads(json.dumps(found)), "run") == expected


def test_an_architecture_is_what_differs_from_the_defaults(script: ModuleType) -> None:
    assert script.describe(ResNetConfig(name="resnet18", width=16, stem=Stem.small)) == NET
    vit = TimmConfig(name="vit_tiny", patch_size=4, pool="avg", options={"depth": 6})
    assert script.describe(vit) == "vit_tiny, patch_size 4, pool avg, depth 6"


def test_rates_come_from_metrics_csv(script: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text(
        "step,epoch,seconds,name,value\n10,0.1,2.0,train/loss,5\n20,0.2,4.0,train/loss,4\n30,0.3,7.0,train/loss,3\n"
        "30,0.3,7.0,health/rankme,12.5\n"
    )
    assert script.items_per_second(tmp_path, batch=100) == pytest.approx(20 * 100 / 5)
    assert script.logged(tmp_path, "health/rankme") == {30: 12.5}
