"""The report's first sentences."""

from collections.abc import Callable
from pathlib import Path

from sslrun.report.contents import Contents, Curve, Row
from sslrun.report.headline import headline, intervals_overlap, main_row

MakeRow = Callable[..., Row]


def of(rows: list[Row], **more: object) -> tuple[str, list[str]]:
    return headline(Contents(path=Path("runs/x"), rows=rows, **more))  # type: ignore[arg-type]


def test_gap_to_the_untrained_net_and_few_labels(rows: list[Row]) -> None:
    first, further = of(rows)
    assert first == "Linear probe on digits: 95.1 % [93.1, 97.1], 9.3 points above the same net untrained."
    assert further == [
        "The 95 % intervals of the two do not overlap.",
        "It is 5.8 points above the raw pixels.",
        "Few-label probe on digits with 10 labels per class: 89.1 % [87.1, 91.1], "
        "9.3 points above the same net untrained.",
        "The 95 % intervals of the two do not overlap.",
    ]


def test_overlap_is_told(row: MakeRow) -> None:
    first, further = of([row("run", "linear", 0.88), row("random", "linear", 0.9)])
    assert first == "Linear probe on digits: 88.0 % [86.0, 90.0], 2.0 points below the same net untrained."
    assert further == ["The 95 % intervals of the two overlap: it may be chance; more test items or draws would tell."]


def test_no_claim_without_a_counterpart_or_an_interval(row: MakeRow) -> None:
    assert of([row("run", "linear", 0.88)]) == ("Linear probe on digits: 88.0 % [86.0, 90.0].", [])
    bare = [row(name, "linear", value, low=None, high=None) for name, value in (("run", 0.9), ("random", 0.8))]
    assert of(bare) == ("Linear probe on digits: 90.0 %, 10.0 points above the same net untrained.", [])
    other_budget = [row("run", "linear", 0.88), row("random", "linear", 0.5, labels=5)]
    assert "untrained" not in of(other_budget)[0]


def test_touching_intervals_overlap(row: MakeRow) -> None:
    assert intervals_overlap(row("a", "linear", 0.9), row("b", "linear", 0.94)) is True  # 0.92 meets 0.92
    assert intervals_overlap(row("a", "linear", 0.9), row("b", "linear", 0.95)) is False


def test_first_number_is_the_runs_own_on_the_plain_test(row: MakeRow) -> None:
    rows = [
        row("random", "linear", 0.8),
        row("run", "knn20", 0.9),
        row("run", "linear", 0.5) | {"value": None},
        row("run", "linear", 0.7, condition="blur"),
        row("run", "linear", 0.6, split="validation"),
        row("run", "linear", 0.5, metric="loss"),
    ]
    assert main_row(rows) is rows[5]
    assert main_row(rows[:5]) is rows[1]
    assert main_row([]) is None


def test_finetuning_with_a_budget(row: MakeRow) -> None:
    assert of([row("run", "finetune", 0.9, labels=1)])[0].startswith("Fine-tuning on digits with 1 label per class: 90")
    assert of([row("run", "finetune", 0.9, labels=0.1)])[0].startswith("Fine-tuning on digits with 10 % of the labels:")


def test_without_rows_the_state_is_told() -> None:
    curves = {"probe/linear": Curve([0, 500], [0.5, 0.8])}
    first, further = of([], manifest={"status": "running", "total_steps": 2000}, curves=curves)
    assert first == "The run has not finished yet."
    assert further == [
        "Online linear probe at step 500: 80.0 %, on a validation subset.",
        "Logged up to step 500 of 2,000.",
    ]
    assert of([], manifest={"status": "failed"})[0] == "The run failed before it had results."
    assert "sslrun probe encoder=runs/x" in of([], manifest={"status": "finished", "command": "pretrain"})[1][0]
