"""Turns the rows of scripts/ucr_table.py into its page."""

import math
import statistics
from collections.abc import Callable

from scipy import stats

from table_runs import Row

REFERENCE = {
    "ItalyPowerDemand": 92.8,
    "JapaneseVowels": 98.4,
    "BasicMotions": 97.5,
    "GunPoint": 99.3,
    "ArrowHead": 81.7,
    "OSULeaf": None,
}
"""Sets, the smallest first: top-1 that another implementation reached after 200 steps, where known."""
TOLERANCE = 3.0

Groups = dict[tuple[str, str], list[Row]]


def page(rows: list[Row]) -> str:
    """The markdown."""
    seeds = sorted({row["seed"] for row in rows if row["encoder"] == "ts2vec"})
    groups: Groups = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        groups.setdefault((row["set"], row["encoder"]), []).append(row)
    sets = [name for name in REFERENCE if (name, "ts2vec") in groups]
    lines = [
        "# TS2Vec on sets of the UCR and UEA archives",
        "",
        f"    python scripts/ucr_table.py --seeds {','.join(map(str, seeds))}",
        "",
        "200 steps of `conf/experiment/series/ts2vec_ucr.yaml`, then `sslrun probe`. Top-1 on test in per cent by",
        "the field's protocol, an SVM with a Gaussian kernel on all labels; 1-NN is Euclidean on the raw values.",
        "For nets: the mean over seeds with Student's interval over seeds; for raw values: the interval over test",
        "series. TS2Vec is the last weights; average is the average of the weights over all steps, which the",
        "authors' code evaluates; gain is the last weights' top-1 minus the untrained net's, paired by seed. The",
        "last weights became the default after the first of these runs, on these test sets. The reference is an",
        "independent measurement with another implementation. Minutes are of one training, beside other work.",
        "",
        *(f"Machine: {name}." for name in sorted({row["machine"] for row in rows})),
        "",
        *_table(
            ["set", "seeds", "TS2Vec", "average", "untrained", "gain", "raw", "raw, 1-NN", "reference", "minutes"],
            [_summary(name, groups) for name in sets],
        ),
        "",
        "Each seed, with its interval over test series:",
        "",
        *_table(
            ["set", "seed", "TS2Vec", "average", "untrained", "TS2Vec, linear", "untrained, linear"],
            [cells for name in sets for cells in _by_seed(name, groups)],
        ),
        "",
        f"More than {TOLERANCE / 100:.2f} below the reference: {_names(sets, lambda name: _is_below(name, groups))}.",
        f"Gain's interval above zero (of two seeds or more): {_names(sets, lambda name: _gain(name, groups)[1] > 0)}.",
    ]
    return "\n".join(lines) + "\n"


def mean_interval(values: list[float]) -> tuple[float, float, float]:
    """Mean and its 95 % interval by Student's t; with a single value both ends are infinite."""
    mean = statistics.mean(values)
    if len(values) < 2:
        return mean, float("-inf"), float("inf")
    half = float(stats.t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / len(values) ** 0.5
    return mean, mean - half, mean + half


def _summary(name: str, groups: Groups) -> list[str]:
    raw, reference = groups[name, "raw"][0], REFERENCE[name]
    trained = groups[name, "ts2vec"]
    return [
        name,
        str(len(trained)),
        _interval(_mean(name, "ts2vec", groups)),
        _interval(_mean(name, "average", groups)),
        _interval(_mean(name, "untrained", groups)),
        _interval(_gain(name, groups), sign="+"),
        _interval(raw["svm"]),
        _interval(raw["nn1"]),
        "" if reference is None else f"{reference:.1f}",
        f"{statistics.mean(row['minutes'] for row in trained):.1f}",
    ]


def _by_seed(name: str, groups: Groups) -> list[list[str]]:
    kinds = [groups[name, kind] for kind in ("ts2vec", "average", "untrained")]
    return [
        [
            name,
            str(own["seed"]),
            *(_interval(row["svm"]) for row in (own, average, bare)),
            *(_interval(row["linear"]) for row in (own, bare)),
        ]
        for own, average, bare in zip(*kinds, strict=True)
    ]


def _mean(name: str, encoder: str, groups: Groups) -> tuple[float, float, float]:
    mean, low, high = mean_interval([row["svm"][0] for row in groups[name, encoder]])
    return (mean, low, high) if math.isinf(low) else (mean, max(low, 0.0), min(high, 100.0))


def _gain(name: str, groups: Groups) -> tuple[float, float, float]:
    pairs = zip(groups[name, "ts2vec"], groups[name, "untrained"], strict=True)
    return mean_interval([row["svm"][0] - bare["svm"][0] for row, bare in pairs])


def _is_below(name: str, groups: Groups) -> bool:
    reference = REFERENCE[name]
    return reference is not None and _mean(name, "ts2vec", groups)[0] < reference - TOLERANCE


def _names(sets: list[str], holds: Callable[[str], bool]) -> str:
    return ", ".join(name for name in sets if holds(name)) or "none"


def _interval(numbers: tuple[float, float, float] | list[float], sign: str = "") -> str:
    value, low, high = numbers
    if low == float("-inf"):
        return f"{value:{sign}.1f}"
    return f"{value:{sign}.1f} [{low:{sign}.1f}, {high:{sign}.1f}]"


def _table(head: list[str], lines: list[list[str]]) -> list[str]:
    return [f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *lines)]
