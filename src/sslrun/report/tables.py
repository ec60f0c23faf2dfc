"""Rows of results.json as tables, for the terminal and the report."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from sslrun.core.evaluations import is_share
from sslrun.report.contents import Row

BOLD, DIM, RESET = "\033[1m", "\033[2m", "\033[0m"


@dataclass(frozen=True)
class Setting:
    """What all rows of one table have in common."""

    dataset: str
    split: str
    condition: str

    def __str__(self) -> str:
        return ", ".join(p for p in (self.dataset, self.split, self.condition) if p)


@dataclass(frozen=True)
class FewLabels:
    """Results of one evaluation and metric by label budget.

    Attributes:
        budgets: in ascending order: counts per class, fractions, `"all"`.
        cells: row by (encoder, budget).
    """

    evaluation: str
    metric: str
    encoders: list[str]
    budgets: list[int | float | str]
    cells: dict[tuple[str, int | float | str], Row]

    @property
    def draws(self) -> int:
        """Maximum number of draws over budgets."""
        return max(int(row.get("draws") or 1) for row in self.cells.values())


def number(metric: str, value: float | None) -> str:
    """`93.4` (%) for a share, four digits for anything else, `–` for None."""
    if value is None:
        return "–"
    return f"{100 * value:.1f}" if is_share(metric) else f"{value:.4g}"


def interval(row: Row) -> str:
    """`[92.0, 94.7]`, or empty if the row has none."""
    low, high = row.get("low"), row.get("high")
    if low is None or high is None:
        return ""
    return f"[{number(row['metric'], low)}, {number(row['metric'], high)}]"


def budget_text(labels: int | float | str) -> str:
    """`5` (per class), `1 %`, `all`."""
    return f"{100 * labels:g} %" if isinstance(labels, float) and labels < 1 else str(labels)


def by_setting(rows: Iterable[Row]) -> dict[Setting, list[Row]]:
    """Group rows into tables, in order of appearance."""
    groups: dict[Setting, list[Row]] = {}
    for row in rows:
        setting = Setting(*(str(row.get(key) or "") for key in ("dataset", "split", "condition")))
        groups.setdefault(setting, []).append(row)
    return groups


def few_labels(rows: list[Row]) -> list[FewLabels]:
    """A block for each evaluation and metric with at least two label budgets besides `"all"`."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["evaluation"], row["metric"]), []).append(row)
    blocks = []
    for (evaluation, metric), group in groups.items():
        cells = {(row["encoder"], row.get("labels", "all")): row for row in group}
        budgets = sorted({budget for _, budget in cells}, key=_budget_order)
        if len([b for b in budgets if b != "all"]) >= 2:
            blocks.append(FewLabels(evaluation, metric, _unique(row["encoder"] for row in group), budgets, cells))
    return blocks


def other_rows(rows: list[Row]) -> list[Row]:
    """Rows outside of few-label blocks, sorted so that encoders are listed next to each other."""
    blocks = {(block.evaluation, block.metric) for block in few_labels(rows)}
    shown = [r for r in rows if (r["evaluation"], r["metric"]) not in blocks]
    orders = [_unique(r[key] for r in shown) for key in ("evaluation", "metric", "encoder")]
    return sorted(
        shown,
        key=lambda r: (
            orders[0].index(r["evaluation"]),
            _budget_order(r.get("labels", "all")),
            orders[1].index(r["metric"]),
            orders[2].index(r["encoder"]),
        ),
    )


def results_table(rows: list[Row], *, colour: bool | None = None) -> str:
    """Rows of results.json as text: values with 95 % intervals, then few-label blocks by label budget.

    Args:
        colour: use bold and dim codes; None: if standard output is a terminal.
    """
    colour = sys.stdout.isatty() if colour is None else colour
    parts = []
    for setting, group in by_setting(rows).items():
        if lines := _main_lines(other_rows(group)):
            parts.append("\n".join(_titled(f"{setting}: shares in %, with 95 % intervals", lines, colour=colour)))
        for block in few_labels(group):
            metric = f"{block.metric} in %" if is_share(block.metric) else block.metric
            title = f"{setting}, few labels: {block.evaluation} {metric}, mean of {block.draws} draws"
            parts.append("\n".join(_titled(title, _few_label_lines(block), colour=colour)))
    return "\n\n".join(parts) if parts else "no results"


def _main_lines(rows: list[Row]) -> list[str]:
    table = [["evaluation", "labels", "metric", "encoder", "value", "", "n", "draws"]]
    before: list[str] = []
    for row in rows:
        metric = row["metric"]
        head = [row["evaluation"], budget_text(row.get("labels", "all")), metric]
        value = [number(metric, row["value"]), interval(row)]
        repeated = next((i for i, (a, b) in enumerate(zip(head, before, strict=False)) if a != b), len(before))
        shown = ["" if i < repeated else cell for i, cell in enumerate(head)]
        table.append([*shown, row["encoder"], *value, str(row.get("n", "")), str(row.get("draws", ""))])
        before = head
    return _aligned(table, right={4, 6, 7}) if rows else []


def _few_label_lines(block: FewLabels) -> list[str]:
    table = [["labels per class, or %", *map(budget_text, block.budgets)]]
    for encoder in block.encoders:
        rows = [block.cells.get((encoder, budget)) for budget in block.budgets]
        table.append([encoder, *("" if r is None else number(block.metric, r["value"]) for r in rows)])
        table.append(["", *("" if r is None else interval(r) for r in rows)])
    return _aligned(table, right=set(range(1, len(block.budgets) + 1)))


def _aligned(table: list[list[str]], *, right: set[int]) -> list[str]:
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    lines = []
    for cells in table:
        padded = [c.rjust(w) if i in right else c.ljust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))]
        lines.append("  " + "  ".join(padded).rstrip())
    return lines


def _titled(title: str, lines: list[str], *, colour: bool) -> list[str]:
    header = f"{DIM}{lines[0]}{RESET}" if colour else lines[0]
    return [f"{BOLD}{title}{RESET}" if colour else title, header, *lines[1:]]


def _budget_order(labels: int | float | str) -> tuple[int, float]:
    if isinstance(labels, str):
        return 2, 0.0
    return (1, labels) if labels < 1 else (0, labels)


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
