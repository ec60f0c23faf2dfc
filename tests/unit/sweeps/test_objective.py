"""What a finished run scored: never on test."""

import json
from pathlib import Path
from typing import Any

import pytest

from sslrun.config.errors import RunError
from sslrun.runs.results import main_value
from sslrun.sweeps.objective import NoSuchMetricError, read_values


def left(folder: Path, command: str, rows: list[dict[str, Any]], **manifest: Any) -> Path:
    (folder / "run.json").write_text(json.dumps({"command": command, "status": "finished", **manifest}))
    (folder / "results.json").write_text(json.dumps({"schema_version": 1, "rows": rows}))
    return folder


def row(evaluation: str, metric: str, split: str, value: float | None) -> dict[str, Any]:
    return {"evaluation": evaluation, "metric": metric, "split": split, "value": value}


def test_validation_is_taken_where_results_hold_test(tmp_path: Path) -> None:
    run = left(tmp_path, "finetune", [row("finetune", "top1", "test", 0.9)], selection={"finetune/top1": 0.7})
    assert read_values(run, [None], command="finetune") == [0.7] == [main_value(run, "finetune")]


def test_rows_of_validation_are_taken_as_they_are(tmp_path: Path) -> None:
    run = left(tmp_path, "pretrain", [row("linear", "top1", "validation", 0.6)])
    assert read_values(run, [None, "linear/top1"], command="pretrain") == [0.6, 0.6]


def test_a_number_of_test_alone_is_refused(tmp_path: Path) -> None:
    run = left(tmp_path, "probe", [row("knn20", "top1", "test", 0.9)], selection={"linear/top1": 0.5})
    with pytest.raises(NoSuchMetricError, match=r"knn20/top1: .* only on test, .*; it has linear/top1"):
        read_values(run, ["knn20/top1"], command="probe")


def test_a_value_that_is_not_finite_is_told(tmp_path: Path) -> None:
    run = left(tmp_path, "pretrain", [row("linear", "top1", "validation", None)])
    with pytest.raises(RunError, match=r"linear/top1 of .* is nan"):
        read_values(run, [None], command="pretrain")


def test_an_older_folder_without_validation_still_shows_its_number(tmp_path: Path) -> None:
    assert main_value(left(tmp_path, "finetune", [row("finetune", "top1", "test", 0.9)]), "finetune") == 0.9
