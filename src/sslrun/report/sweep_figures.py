"""Figures of a sweep, each an inline SVG."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from sslrun.report.canvas import FAINT, INK, SERIES, draw
from sslrun.sweeps.space import text
from sslrun.sweeps.trials import TrialRow

MAX_CHOICES_NAMED = 12
MAX_CATEGORICAL_NUMBERS = 5
"""Up to this many distinct numbers are shown as categories, evenly spaced: 0, 1e-6, 1e-4."""


@dataclass(frozen=True)
class Axis:
    """Maps a parameter's values to axis positions.

    Attributes:
        log: whether positions are log10 of the values.
        choices: categories at 0, 1, …; empty for a numeric axis.
    """

    name: str
    log: bool
    choices: list[str]

    def position(self, value: Any) -> float:
        """Position of a value."""
        if self.choices:
            return float(self.choices.index(text(value)))
        return math.log10(value) if self.log else float(value)


def axis_of(name: str, values: Sequence[Any]) -> Axis:
    """Numeric axis, logarithmic for a wide range; categorical for non-numbers and for few distinct numbers."""
    numeric = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    distinct = set(values)
    if not numeric or len(distinct) <= min(MAX_CATEGORICAL_NUMBERS, len(values) - 1):
        ordered = sorted(distinct) if numeric else sorted(distinct, key=text)
        return Axis(name, log=False, choices=list(map(text, ordered)))
    log = min(values) > 0 and max(values) / min(values) >= 30
    return Axis(name, log=log, choices=[])


def history(name: str, metric: str, trials: Sequence[TrialRow], *, index: int, minimize: bool) -> str:
    """Metric by trial number, with the best so far as a line."""
    done = [t for t in trials if t.state == "finished" and len(t.values) > index]
    pruned = [t for t in trials if t.state == "pruned" and len(t.values) > index]
    best, line = None, []
    for trial in done:
        value = trial.values[index]
        best = value if best is None else (min if minimize else max)(best, value)
        line.append(best)

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        ax.plot([t.number for t in done], line, color=SERIES[1], drawstyle="steps-post", label="best so far")
        ax.scatter([t.number for t in done], [t.values[index] for t in done], s=24, color=SERIES[0], label="finished")
        if pruned:
            values = [t.values[index] for t in pruned]
            ax.scatter([t.number for t in pruned], values, s=28, color=FAINT, marker="x", label="pruned, last value")
        ax.set_xlabel("trial")
        ax.set_ylabel(metric)
        ax.xaxis.set_major_locator(MaxNLocator(8, integer=True))
        ax.grid(axis="y")
        ax.figure.legend(loc="outside upper left", ncols=3)

    alt = f"{metric} by trial: {len(done)} finished, {len(pruned)} pruned; the best is {line[-1]:.4g}"
    return draw(name, alt, paint, width=7.2, height=3.2)


def importances(name: str, shares: Mapping[str, float]) -> str:
    """Bar chart of parameter importances, the largest on top."""
    ordered = sorted(shares.items(), key=lambda item: -item[1])

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        ax.barh([n for n, _ in ordered], [100 * s for _, s in ordered], height=0.6, color=SERIES[0], alpha=0.85)
        for y, (_, share) in enumerate(ordered):
            ax.annotate(
                f"{100 * share:.0f} %", (100 * share, y), xytext=(5, 0), textcoords="offset points", va="center"
            )
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.set_xlim(0, 112)
        ax.set_xticks([0, 25, 50, 75, 100])
        ax.set_xlabel("share of the variance between trials, %")
        ax.grid(axis="x")

    alt = "Importance: " + ", ".join(f"{n} {100 * s:.0f} %" for n, s in ordered)
    return draw(name, alt, paint, width=7.2, height=1.0 + 0.36 * len(ordered))


def parallel(name: str, metric: str, trials: Sequence[TrialRow], params: Sequence[str], *, minimize: bool) -> str:
    """Parallel coordinates of parameters and metric, a line per trial; the best tenth is highlighted."""
    shown = [t for t in trials if all(p in t.params for p in params)]
    axes_of = [axis_of(p, [t.params[p] for t in shown]) for p in params]
    values = Axis(metric, log=False, choices=[])
    columns = [*axes_of, values]
    ranked = sorted(shown, key=lambda t: t.values[0], reverse=minimize)  # the best are drawn last, on top
    highlighted = {t.number for t in ranked[-max(1, len(ranked) // 10) :]}

    def positions(trial: TrialRow) -> list[float]:
        return [*(a.position(trial.params[a.name]) for a in axes_of), trial.values[0]]

    spans = [(min(c), max(c)) for c in zip(*map(positions, shown), strict=True)]

    def height(column: int, position: float) -> float:
        low, high = spans[column]
        return 0.5 if high == low else (position - low) / (high - low)

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        for trial in ranked:
            heights = [height(i, p) for i, p in enumerate(positions(trial))]
            best = trial.number in highlighted
            ax.plot(
                heights, color=SERIES[1] if best else SERIES[0], alpha=0.95 if best else 0.3,
                linewidth=2.0 if best else 1.1, zorder=3 if best else 2,
            )  # fmt: skip
        for i, axis in enumerate(columns):
            ax.axvline(i, color=FAINT, linewidth=0.8)
            for position, label in _marks(axis, spans[i]):
                ax.annotate(
                    label, (i, height(i, position)), xytext=(-4 if i == len(params) else 4, 0),
                    textcoords="offset points", ha="right" if i == len(params) else "left", va="center", fontsize=8,
                    color=INK, bbox={"boxstyle": "round,pad=0.1", "fc": "none", "ec": "none"}, zorder=4,
                )  # fmt: skip
        ax.set_xticks(range(len(columns)), [_short(a.name) for a in columns])
        ax.tick_params(axis="x", length=0)
        ax.set_yticks([])
        ax.spines[:].set_visible(False)
        ax.set_xlim(-0.1, len(columns) - 0.9)
        ax.set_ylim(-0.06, 1.06)

    return draw(name, f"{len(shown)} trials over {', '.join(params)} and {metric}", paint, width=7.2, height=3.6)


def slice_of(name: str, metric: str, param: str, trials: Sequence[TrialRow], *, index: int) -> str:
    """Metric by one parameter; later trials are darker."""
    shown = [t for t in trials if param in t.params and len(t.values) > index]
    axis = axis_of(param, [t.params[param] for t in shown])

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        colours = [to_rgba(SERIES[0], 0.35 + 0.6 * i / max(1, len(shown) - 1)) for i in range(len(shown))]
        x = [axis.position(t.params[param]) if axis.choices else t.params[param] for t in shown]
        ax.scatter(x, [t.values[index] for t in shown], s=26, color=colours, linewidths=0)
        if axis.choices and len(axis.choices) <= MAX_CHOICES_NAMED:
            long = sum(map(len, axis.choices)) > 40
            ax.set_xticks(
                range(len(axis.choices)), axis.choices, rotation=30 if long else 0, ha="right" if long else "center"
            )
            ax.set_xlim(-0.5, len(axis.choices) - 0.5)
        elif axis.log:
            ax.set_xscale("log")
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            ax.xaxis.set_minor_formatter(NullFormatter())
        elif all(isinstance(t.params[param], int) for t in shown):
            ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        ax.set_title(param, loc="left", fontsize=11, fontweight="bold")
        ax.set_ylabel(metric)
        ax.grid(axis="y")

    return draw(name, f"{metric} by {param}, {len(shown)} trials", paint, width=4.4, height=2.9)


def front(name: str, metrics: Sequence[str], trials: Sequence[TrialRow], best: Sequence[TrialRow]) -> str:
    """The first two metrics against each other, with the Pareto front highlighted."""
    numbers = {t.number for t in best}

    def paint(axes: list[Axes]) -> None:
        (ax,) = axes
        rest = [t for t in trials if t.number not in numbers]
        ax.scatter([t.values[0] for t in rest], [t.values[1] for t in rest], s=24, color=SERIES[0], label="dominated")
        ax.scatter(
            [t.values[0] for t in best],
            [t.values[1] for t in best],
            s=36,
            color=SERIES[1],
            marker="D",
            label="Pareto-optimal",
        )
        for trial in best:
            ax.annotate(
                f"#{trial.number}",
                (trial.values[0], trial.values[1]),
                xytext=(6, 4),
                textcoords="offset points",
                fontsize=8,
            )
        ax.set_xlabel(metrics[0])
        ax.set_ylabel(metrics[1])
        ax.grid()
        ax.figure.legend(loc="outside upper left", ncols=2)

    return draw(
        name, f"{metrics[1]} by {metrics[0]}; {len(best)} trials are Pareto-optimal", paint, width=7.2, height=3.8
    )


def _marks(axis: Axis, span: tuple[float, float]) -> list[tuple[float, str]]:
    if axis.choices:
        few = axis.choices if len(axis.choices) <= MAX_CHOICES_NAMED else []
        return [(float(i), choice) for i, choice in enumerate(few)]
    ends = dict.fromkeys(span)
    return [(p, f"{10**p:.3g}" if axis.log else f"{p:.4g}") for p in ends]


def _short(name: str) -> str:
    """Shorten a long dotted key to its last part."""
    return name if len(name) <= 14 else name.rsplit(".", 1)[-1]
