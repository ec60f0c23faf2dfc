"""Figures of the report, each an inline SVG."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import MaxNLocator

from sslrun.core.evaluations import is_share
from sslrun.report.canvas import FAINT, INK, SERIES, draw, series
from sslrun.report.contents import Confusion, Curve, Embedding, Row
from sslrun.report.tables import FewLabels, budget_text, number

MAX_POINTS_OF_CURVE = 400
MAX_POINTS_OF_SCATTER = 3000
MAX_CLASSES_NAMED = 30
MAX_CLASSES_COUNTED = 15


def curve(name: str, title: str, curves: dict[str, Curve], *, percent: bool = False) -> str:
    """Values by step, one line per metric; long curves are averaged in equal bins."""

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        for i, (label, values) in enumerate(curves.items()):
            steps, means = thinned(values)
            colour, marker = series(i)
            means = [100 * v for v in means] if percent else means
            few = len(steps) <= 30
            ax.plot(steps, means, color=colour, label=label, marker=marker if few else None, markersize=3.5)
        ax.set_title(title, loc="left", fontsize=11, fontweight="bold")
        ax.set_xlabel("step")
        ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        ax.grid(axis="y")
        ax.margins(x=0.02, y=0.08)
        ax.set_xlim(left=0)
        if len(curves) > 1:
            ax.legend(fontsize=8.5)

    last = ", ".join(f"{label} ends at {c.values[-1]:.4g}" for label, c in curves.items())
    return draw(name, f"{title}: {last}", paint, width=4.4, height=2.7)


def thinned(values: Curve, max_points: int = MAX_POINTS_OF_CURVE) -> tuple[list[float], list[float]]:
    """At most `max_points` points, averaged over bins of equal size."""
    if len(values.steps) <= max_points:
        return list(values.steps), values.values
    parts = zip(np.array_split(values.steps, max_points), np.array_split(values.values, max_points), strict=True)
    means = [(float(step.mean()), float(value.mean())) for step, value in parts]
    return [m[0] for m in means], [m[1] for m in means]


def bars(name: str, rows: Sequence[Row]) -> str:
    """Bars of one metric with intervals, grouped by evaluation."""
    encoders = list(dict.fromkeys(row["encoder"] for row in rows))
    evaluations = list(dict.fromkeys(row["evaluation"] for row in rows))
    metric = rows[0]["metric"]
    scale = 100 if is_share(metric) else 1
    thickness = 0.8 / len(encoders)
    budgets = dict.fromkeys(f"labels: {budget_text(row['labels'])}" for row in rows if "labels" in row)

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        for row in rows:
            at, which = evaluations.index(row["evaluation"]), encoders.index(row["encoder"])
            y = at + (which - (len(encoders) - 1) / 2) * thickness
            value, end = scale * row["value"], scale * row["value"]
            ax.barh(y, value, height=0.86 * thickness, color=series(which)[0], alpha=0.85)
            if row.get("low") is not None and row.get("high") is not None:
                low, end = scale * row["low"], scale * row["high"]
                ax.plot([low, end], [y, y], color=INK, linewidth=1.3, marker="|", markersize=6, markeredgewidth=1.3)
            text = number(metric, row["value"])
            ax.annotate(text, (end, y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
        ax.set_yticks(range(len(evaluations)), evaluations)
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.margins(x=0.1, y=0.02)
        ax.set_xlim(left=0)
        ax.grid(axis="x")
        ax.set_xlabel(", ".join([metric, *(["%"] if scale == 100 else []), *budgets]))
        for which, encoder in enumerate(encoders):
            ax.bar(0, 0, color=series(which)[0], alpha=0.85, label=encoder)
        ax.figure.legend(loc="outside upper left", ncols=2 if len(encoders) > 3 else 3)

    alt = "; ".join(f"{r['evaluation']} {r['encoder']} {number(metric, r['value'])}" for r in rows)
    height = 1.0 + 0.3 * len(evaluations) * max(len(encoders), 2)
    return draw(name, f"{metric} by evaluation: {alt}", paint, width=7.2, height=height)


def few_label_curve(name: str, block: FewLabels) -> str:
    """Metric by label budget with 95 % bands, with separate axes for counts per class and for fractions."""
    whole = {float(b): b for b in block.budgets if isinstance(b, int)}
    shares = {_position(b): b for b in block.budgets if not isinstance(b, int)}  # "all" is a share too
    both: dict[str, Any] = {"labels per class": whole, "share of labels": shares if list(shares) != [1.0] else {}}
    panels: dict[str, dict[float, Any]] = {text: budgets for text, budgets in both.items() if budgets}
    scale = 100 if is_share(block.metric) else 1

    def paint(axes: list[Axes]) -> None:
        for ax, (text, budgets) in zip(axes, panels.items(), strict=True):
            for i, encoder in enumerate(block.encoders):
                rows = {x: block.cells[encoder, b] for x, b in budgets.items() if (encoder, b) in block.cells}
                known = {x: row for x, row in rows.items() if row["value"] is not None}
                banded = {x: r for x, r in known.items() if r.get("low") is not None and r.get("high") is not None}
                colour, marker = series(i)
                low, high = ([scale * r[side] for r in banded.values()] for side in ("low", "high"))
                values = [scale * row["value"] for row in known.values()]
                ax.fill_between(list(banded), low, high, color=colour, alpha=0.18, linewidth=0)
                ax.plot(list(known), values, color=colour, marker=marker, markersize=5, label=encoder)
            ax.set_xscale("log")
            ax.set_xticks(list(budgets), ["100 %" if b == "all" else budget_text(b) for b in budgets.values()])
            ax.minorticks_off()
            ax.set_xlabel(text)
            ax.grid()
        axes[0].set_ylabel(f"{block.metric}, %" if scale == 100 else block.metric)
        handles, labels = axes[0].get_legend_handles_labels()
        axes[0].figure.legend(handles, labels, loc="outside upper left", ncols=2 if len(labels) > 3 else 3)

    alt = f"{block.evaluation} {block.metric} by label budget, for {', '.join(block.encoders)}"
    ratios = [max(len(budgets), 2) for budgets in panels.values()]
    return draw(name, alt, paint, width=7.2, height=3.9, columns=len(panels), ratios=ratios)


def _position(share: float | str) -> float:
    return 1.0 if isinstance(share, str) else share


def scatter(name: str, embedding: Embedding) -> str:
    """Points coloured by label; of more than 3,000 an evenly spaced subset."""
    stride = -(-len(embedding.x) // MAX_POINTS_OF_SCATTER)
    x, y, labels = embedding.x[::stride], embedding.y[::stride], embedding.labels[::stride]
    classes = sorted(set(labels), key=lambda c: (len(c), c) if c.isdigit() else (0, c))

    named = len(classes) <= MAX_CLASSES_NAMED
    columns = min(max(80 // (max(map(len, classes)) + 6), 1), 10)
    legend_height = 0.22 * -(-len(classes) // columns) if named else 0.0

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        for i, cls in enumerate(classes):
            index = [j for j, label in enumerate(labels) if label == cls]
            colour, marker = series(i)
            points = [x[j] for j in index], [y[j] for j in index]
            ax.scatter(*points, s=20, color=colour, marker=marker, linewidths=0, alpha=0.75, label=cls)
        ax.set_aspect("equal", adjustable="datalim")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        if named:
            ax.figure.legend(loc="outside lower left", ncols=columns, markerscale=1.5, handletextpad=0.2)

    alt = f"{len(x)} features in two dimensions, coloured by {len(classes)} classes"
    return draw(name, alt, paint, width=7.2, height=4.8 + legend_height)


def confusion_map(name: str, confusion: Confusion) -> str:
    """Confusion matrix, row-normalised; with counts for at most 15 classes."""
    counts = np.array(confusion.matrix, dtype=float)  # (C, C)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named, size = len(counts) <= MAX_CLASSES_NAMED, len(counts)
    cells = np.empty((size, size, 4))
    cells[...] = to_rgba(SERIES[0])
    cells[..., 3] = shares**0.6  # rare confusions stay visible

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        ax.imshow(cells, interpolation="none")
        for row, column in np.argwhere(counts > 0) if size <= MAX_CLASSES_COUNTED else ():
            colour = "#ffffff" if shares[row, column] > 0.4 else INK
            ax.text(column, row, f"{counts[row, column]:.0f}", ha="center", va="center", fontsize=8, color=colour)
        ticks = range(size) if named else ()
        long = max(map(len, confusion.classes)) > 2
        ax.set_xticks(ticks, confusion.classes if named else (), rotation=90 if long else 0)
        ax.set_yticks(ticks, confusion.classes if named else ())
        ax.tick_params(length=0, labelsize=8.5)
        ax.set_xlabel("predicted")
        ax.set_ylabel("true")
        ax.spines[:].set_visible(True)
        ax.spines[:].set_color(FAINT)

    right = np.trace(counts) / max(counts.sum(), 1)
    return draw(name, f"Confusion of {size} classes; {100 * right:.1f} % on the diagonal", paint, width=6.2, height=5.6)
