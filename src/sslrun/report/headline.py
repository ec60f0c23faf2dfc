"""First sentences of the report: the main result, compared with the untrained network and with raw baselines."""

from sslrun.core.evaluations import EVALUATIONS, is_share
from sslrun.report.contents import Contents, Row
from sslrun.report.tables import budget_text, interval, number

RAW = {
    "pixels": "the raw pixels",
    "tfidf": "TF-IDF with logistic regression",
    "lags": "the raw values",
    "logmel": "log-mel statistics",
}
"""Raw baselines -> their names in a sentence."""
BASELINES = ("random", "chance", "last value", "deviation", *RAW)
RANKED = list(EVALUATIONS)


def headline(run: Contents) -> tuple[str, list[str]]:
    """The main result in one sentence, and sentences that qualify it."""
    main = main_row(run.rows)
    if main is None:
        return _without_rows(run)
    further = [_overlap_sentence(main, run.rows)]
    for name, noun in RAW.items():
        if (raw := counterpart(main, run.rows, name)) is not None:
            further.append(f"It is {_difference(main, raw)} {noun}.")
    if (few := _few_labels_row(main, run.rows)) is not None:
        further += [_sentence(few, run.rows), _overlap_sentence(few, run.rows)]
    return _sentence(main, run.rows), [sentence for sentence in further if sentence]


def main_row(rows: list[Row]) -> Row | None:
    """The main result: preferably of the run's own encoder with all labels, and top-1."""

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
    """The row of another encoder that is comparable with `row`."""
    comparable = (r for r in rows if r["encoder"] == encoder != row["encoder"] and _comparable(r, row))
    return next((r for r in comparable if r["value"] is not None), None)


def intervals_overlap(row: Row, other: Row) -> bool | None:
    """Whether the intervals overlap; None if a row has none."""
    if not (interval(row) and interval(other)):
        return None
    return bool(row["low"] <= other["high"] and other["low"] <= row["high"])


def _few_labels_row(main: Row, rows: list[Row]) -> Row | None:
    """The same encoder's row with 10 labels per class, else with the fewest."""
    few = [
        r
        for r in rows
        if r["encoder"] == main["encoder"]
        and isinstance(r.get("labels"), int)
        and (
            _comparable(r, main, "labels")
            or (r["evaluation"] == "few_labels" and _comparable(r, main, "labels", "evaluation"))
        )
        and r is not main
        and r["value"] is not None
    ]
    return min(few, key=lambda r: (r["labels"] != 10, r["labels"]), default=None)


def _comparable(a: Row, b: Row, *free: str) -> bool:
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
    metric_text = "" if metric == "top1" else f"{metric} "
    if row.get("condition"):
        name = f"{name} ({row['condition']})"
    where = row.get("dataset") or "its dataset"
    if row.get("split", "test") != "test":
        where = f"{row['split']} of {where}"
    return f"{name} on {where}{budget}: {metric_text}{value}{gap}."


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
