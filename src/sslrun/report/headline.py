"""The report's first sentences: did it help, by how much, how sure is that."""

from sslrun.core.evaluations import EVALUATIONS, is_share
from sslrun.report.contents import Contents, Row
from sslrun.report.tables import budget_text, interval, number

RAW = {
    "pixels": "the raw pixels",
    "tfidf": "TF-IDF with logistic regression",
    "lags": "the raw values",
    "logmel": "log-mel statistics",
}
"""Baselines that learn nothing, and their names in a sentence."""
BASELINES = ("random", "chance", "last value", "deviation", *RAW)
RANKED = list(EVALUATIONS)


def headline(run: Contents) -> tuple[str, list[str]]:
    """One sentence that answers the question as far as the rows allow, and sentences that qualify it."""
    main = main_row(run.rows)
    if main is None:
        return _without_rows(run)
    further = [_overlap_sentence(main, run.rows)]
    for name, called in RAW.items():
        if (raw := counterpart(main, run.rows, name)) is not None:
            further.append(f"It is {_difference(main, raw)} {called}.")
    if (few := _few_labels_row(main, run.rows)) is not None:
        further += [_sentence(few, run.rows), _overlap_sentence(few, run.rows)]
    return _sentence(main, run.rows), [sentence for sentence in further if sentence]


def main_row(rows: list[Row]) -> Row | None:
    """The number that a reader wants first: the run's own encoder, all labels, top-1 if there is one."""

    def rank(row: Row) -> tuple[int, ...]:
        evaluation = row["evaluation"]
        return (
            row["encoder"] in BASELINES,
            row.get("split") != "test",
            bool(row.get("condition")),
            RANKED.index(evaluation) if evaluation in RANKED else len(RANKED),
            row.get("labels", "all") != "all",
            row["metric"] != "top1",
        )

    return min((row for row in rows if row["value"] is not None), key=rank, default=None)


def counterpart(row: Row, rows: list[Row], encoder: str) -> Row | None:
    """The row of another encoder that may be compared with `row`."""
    alike = (r for r in rows if r["encoder"] == encoder != row["encoder"] and _alike(r, row))
    return next((r for r in alike if r["value"] is not None), None)


def intervals_overlap(row: Row, other: Row) -> bool | None:
    """None if one of them has no interval."""
    if not (interval(row) and interval(other)):
        return None
    return bool(row["low"] <= other["high"] and other["low"] <= row["high"])


def _few_labels_row(main: Row, rows: list[Row]) -> Row | None:
    """The same encoder with 10 labels per class, or the fewest."""
    few = [
        r
        for r in rows
        if r["encoder"] == main["encoder"]
        and isinstance(r.get("labels"), int)
        and (_alike(r, main, "labels") or (r["evaluation"] == "few_labels" and _alike(r, main, "labels", "evaluation")))
        and r is not main
        and r["value"] is not None
    ]
    return min(few, key=lambda r: (r["labels"] != 10, r["labels"]), default=None)


def _alike(a: Row, b: Row, *free: str) -> bool:
    keys = ("dataset", "split", "evaluation", "condition", "labels", "metric")
    return all(a.get(key) == b.get(key) for key in keys if key not in free)


def _sentence(row: Row, rows: list[Row]) -> str:
    metric, labels = row["metric"], row.get("labels", "all")
    known = EVALUATIONS.get(row["evaluation"])
    name = known.title if known else row["evaluation"]
    budget = "" if labels == "all" else f" with {budget_text(labels)} of the labels"
    if isinstance(labels, int):
        budget = f" with {labels} {'label' if labels == 1 else 'labels'} per class"
    value = f"{number(metric, row['value'])}{' %' if is_share(metric) else ''} {interval(row)}".rstrip()
    untrained = counterpart(row, rows, "random")
    gap = f", {_difference(row, untrained)} the same net untrained" if untrained else ""
    called = "" if metric == "top1" else f"{metric} "
    if row.get("condition"):
        name = f"{name} ({row['condition']})"
    where = row.get("dataset") or "its dataset"
    if row.get("split", "test") != "test":
        where = f"{row['split']} of {where}"
    return f"{name} on {where}{budget}: {called}{value}{gap}."


def _difference(row: Row, other: Row) -> str:
    gap = row["value"] - other["value"]
    size = f"{abs(100 * gap):.1f} points" if is_share(row["metric"]) else f"{abs(gap):.4g}"
    return f"{size} {'above' if gap >= 0 else 'below'}"


def _overlap_sentence(row: Row, rows: list[Row]) -> str:
    untrained = counterpart(row, rows, "random")
    overlap = intervals_overlap(row, untrained) if untrained else None
    return {
        None: "",
        False: "The 95 % intervals of the two do not overlap.",
        True: "The 95 % intervals of the two overlap: it may be chance; more test items or draws would tell.",
    }[overlap]


def _without_rows(run: Contents) -> tuple[str, list[str]]:
    status = run.manifest.get("status", "of unknown state")
    first = {
        "finished": "The run has finished; it has no test numbers of its own.",
        "running": "The run has not finished yet.",
        "interrupted": "The run was interrupted; the same command, or `sslrun resume`, continues it.",
        "failed": "The run failed before it had results.",
    }.get(status, f"The run is {status}; it has no results yet.")
    further = []
    for name in ("probe/linear", "probe/knn20"):
        if name in run.curves:
            curve = run.curves[name]
            value, kind = f"{100 * curve.values[-1]:.1f} %", name.split("/")[1]
            further.append(f"Online {kind} probe at step {curve.steps[-1]:,}: {value}, on a validation subset.")
    steps = max((curve.steps[-1] for curve in run.curves.values()), default=None)
    total = run.manifest.get("total_steps")
    if steps is not None and status != "finished":
        further.append(f"Logged up to step {steps:,}{f' of {total:,}' if isinstance(total, int) else ''}.")
    if status == "finished" and run.manifest.get("command") == "pretrain":
        further.append(f"`sslrun probe encoder={run.path}` measures the encoder against the same net untrained.")
    return first, further
