"""Turns the rows of scripts/cifar10_table.py into its page."""

import statistics

from table_runs import ROOT, Row

RESULTS = ROOT / "docs" / "results" / "cifar10-small.jsonl"
MEASURES = {"linear": "linear", "knn20": "kNN 20", "few10": "10 labels per class"}
"""Key in a row, whose value is `[value, low, high]` in per cent: title of its column."""
LABELLED = ("supcon", "supervised")
REFERENCES = ("random", "pixels")


def page(rows: list[Row]) -> str:
    """The markdown."""
    trained = [row for row in rows if row["method"] not in REFERENCES]
    seeds = sorted({row["seed"] for row in trained})
    budgets = sorted({row["budget_minutes"] for row in trained})
    minutes = ", ".join(f"{budget:g}" for budget in budgets)
    lines = [
        "# CIFAR-10 at one CPU budget",
        "",
        f"    python scripts/cifar10_table.py --minutes {minutes} --seeds {','.join(map(str, seeds))}",
        "",
        f"Every method trains for the number of steps that fit into {minutes} minutes at its speed, measured",
        "beforehand, with `conf/experiment/cifar10-small/NAME.yaml`, which says what differs from the paper. Speeds",
        "were measured with one or two threads, some beside other work, and seeds differ in precision (see each row",
        "of the .jsonl). Budgets are therefore only roughly equal: neighbouring rows rank neither methods nor",
        "recipes. Top-1 on test in per cent: the mean over seeds, then each seed's 95 % interval. RankMe is of the",
        "encoder's output on 2,048 training images. A second seed takes the steps of the first; where the column",
        "names two numbers, the speed was measured again. Minutes are of the whole run with its two checks, often",
        "beside other work. SupCon and supervised read labels.",
        *draws_lines(rows),
        "",
        *(f"Machine: {name}." for name in sorted({row["machine"] for row in trained})),
        "",
        *table_lines(rows),
        "",
        *(line for name in REFERENCES for line in below_lines(rows, name)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def draws_lines(rows: list[Row]) -> list[str]:
    """How many random subsets the few-label column averages; older rows do not state their 5."""
    by_draws: dict[int, dict[str, None]] = {}
    for row in rows:
        net = row["architecture"].split(",")[0]
        name = f"{net} untrained" if row["method"] == "random" else row["method"]
        by_draws.setdefault(row.get("draws", 5), {})[name] = None
    most, *others = sorted(by_draws, key=lambda draws: -len(by_draws[draws]))
    exceptions = "".join(f"; {draws} for {', '.join(sorted(by_draws[draws]))}" for draws in others)
    return [f"With 10 labels per class: mean of {most} random subsets{exceptions}."]


def table_lines(rows: list[Row]) -> list[str]:
    """Head, then one line per method and architecture: self-supervised by linear top-1, supervised, references."""
    columns = ["method", *MEASURES.values(), "RankMe", "steps", "epochs", "images/s", "minutes", "net"]
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["seed"]):
        groups.setdefault((row["method"], row["architecture"]), []).append(row)

    def place(group: list[Row]) -> tuple[int, float]:
        method = group[0]["method"]
        kind = 2 if method in REFERENCES else 1 if method in LABELLED else 0
        return kind, -statistics.mean(row["linear"][0] for row in group)

    lines = ["| " + " | ".join(columns) + " |", "|---" * len(columns) + "|"]
    for group in sorted(groups.values(), key=place):
        method = {"random": "untrained"}.get(group[0]["method"], group[0]["method"])
        cells = [method, *(_interval_cell([row[key] for row in group]) for key in MEASURES)]
        steps = dict.fromkeys(str(row["steps"]) for row in group if "steps" in row)
        cells += [_mean_cell(group, "rankme", ".0f"), " ".join(steps), _mean_cell(group, "epochs", ".1f")]
        cells += [_mean_cell(group, key, f) for key, f in (("images_per_second", ".0f"), ("minutes", ".1f"))]
        lines.append("| " + " | ".join([*cells, group[0]["architecture"]]) + " |")
    return lines


def _interval_cell(values: list[list[float]]) -> str:
    mean = statistics.mean(value for value, _, _ in values)
    return " ".join([f"{mean:.1f}", *(f"[{low:.1f}, {high:.1f}]" for _, low, high in values)])


def _mean_cell(group: list[Row], key: str, form: str) -> str:
    values = [row[key] for row in group if key in row]
    return format(statistics.mean(values), form) if values else ""


def expected(rows: list[Row], method: str) -> str:
    """The line of a recipe's header that states its measured result."""
    own = sorted((row for row in rows if row["method"] == method), key=lambda row: row["seed"])
    untrained = [
        row["linear"][0] for row in rows if row["method"] == "random" and row["architecture"] == own[0]["architecture"]
    ]
    values = " and ".join(f"{value:.1f} [{low:.1f}, {high:.1f}]" for value, low, high in (r["linear"] for r in own))
    seeds = {1: "one seed", 2: "two seeds"}.get(len(own), f"{len(own)} seeds")
    steps = " and ".join(dict.fromkeys(f"{row['steps']:,}" for row in own))
    return (
        f"# Expected, linear: {values} ({seeds}; untrained {statistics.mean(untrained):.1f}). "
        f"{own[0]['budget_minutes']:g} minutes on 2 CPU cores, {steps} steps."
    )


def below_lines(rows: list[Row], reference: str) -> list[str]:
    """Lines that list the methods not above a reference; empty if the table lacks the reference."""
    if not any(row["method"] == reference for row in rows):
        return []
    title = {"random": "the same network untrained", "pixels": "pixels"}[reference]
    names = {name: ", ".join(not_above(rows, key, reference)) or "none" for key, name in MEASURES.items()}
    lines = [f"- {name}: {methods}" for name, methods in names.items()]
    return [f"Methods with an interval not entirely above that of {title}:", "", *lines, ""]


def not_above(rows: list[Row], measure: str, reference: str) -> list[str]:
    """Methods for which some seed's interval starts at or below the highest end of the reference's intervals.

    `random` means the same architecture untrained.
    """

    def group(row: Row) -> str:
        return str(row["architecture"]) if reference == "random" else ""

    ceiling: dict[str, float] = {}
    for row in rows:
        if row["method"] == reference:
            ceiling[group(row)] = max(row[measure][2], ceiling.get(group(row), 0.0))
    trained = [row for row in rows if row["method"] not in REFERENCES]
    return sorted({row["method"] for row in trained if row[measure][1] <= ceiling.get(group(row), 100.0)})
