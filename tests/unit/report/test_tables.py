"""Tables of the terminal, on rows made by hand."""

from collections.abc import Callable

from sslrun.report.contents import Row
from sslrun.report.tables import few_labels, interval, number, other_rows, results_table

MakeRow = Callable[..., Row]


def test_shares_are_percent_and_other_metrics_are_not(row: MakeRow) -> None:
    assert number("top1", 0.934) == "93.4"
    assert number("average_precision", 0.934) == "93.4"
    assert number("recall@10", 0.934) == "93.4"
    assert number("loss", 0.934) == "0.934"
    assert number("top1", None) == "–"
    assert interval(row("byol", "linear", 0.934, low=0.92, high=0.9466)) == "[92.0, 94.7]"
    assert interval(row("byol", "linear", 0.934, low=None, high=None)) == ""


def test_table_of_two_encoders(row: MakeRow) -> None:
    rows = [row("byol", "linear", 0.934, low=0.92, high=0.947), row("random", "linear", 0.85, low=0.83, high=0.87)]
    assert results_table(rows, colour=False).splitlines() == [
        "digits, test: shares in %, with 95 % intervals",
        "  evaluation  labels  metric  encoder  value                  n  draws",
        "  linear      all     top1    byol      93.4  [92.0, 94.7]  360      1",
        "                              random    85.0  [83.0, 87.0]  360      1",
    ]


def test_few_labels_have_a_row_per_encoder_and_a_column_per_budget(row: MakeRow) -> None:
    rows = [
        row("byol", "few_labels", 0.6, labels=0.1, draws=5),
        row("byol", "few_labels", 0.5, labels=10, draws=5),
        row("byol", "few_labels", 0.4, labels=5, draws=5, low=None),
        row("random", "few_labels", 0.3, labels=5, draws=5),
    ]
    assert results_table(rows, colour=False).splitlines() == [
        "digits, test, few labels: few_labels top1 in %, mean of 5 draws",
        "  labels per class, or %             5            10          10 %",
        "  byol                            40.0          50.0          60.0",
        "                                        [48.0, 52.0]  [58.0, 62.0]",
        "  random                          30.0",
        "                          [28.0, 32.0]",
    ]


def test_one_budget_is_no_curve(row: MakeRow) -> None:
    rows = [row("run", "finetune", 0.9, labels=10)]
    assert few_labels(rows) == []
    assert other_rows(rows) == rows
    assert "finetune    10" in results_table(rows, colour=False)


def test_each_number_is_shown_once(rows: list[Row]) -> None:
    (block,) = few_labels(rows)
    assert block.budgets == [1, 5, 10, 50, 0.01, 0.1, "all"]
    assert len(other_rows(rows)) + len(block.cells) == len(rows)


def test_colour_only_where_asked_and_no_rows_are_told(rows: list[Row]) -> None:
    assert "\033[1m" in results_table(rows, colour=True)
    assert "\033" not in results_table(rows)  # captured output is no terminal
    assert results_table([]) == "no results"


def test_datasets_and_conditions_have_tables_of_their_own(row: MakeRow) -> None:
    rows = [
        row("a", "linear", 0.9),
        row("a", "linear", 0.7, condition="blur"),
        row("a", "linear", 0.5, dataset="mnist"),
    ]
    titles = [line for line in results_table(rows, colour=False).splitlines() if line and not line.startswith(" ")]
    assert [t.split(":")[0] for t in titles] == ["digits, test", "digits, test, blur", "mnist, test"]
