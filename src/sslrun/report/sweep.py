"""A sweep's report.html: a self-contained file without scripts, for a sweep in any state."""

import warnings
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import optuna
from markupsafe import Markup
from optuna.importance import FanovaImportanceEvaluator, get_param_importances
from scipy import stats

from sslrun.report import sweep_figures as figures
from sslrun.report.page import page, write_page
from sslrun.sweeps.space import text
from sslrun.sweeps.trials import Sweep, TrialRow

MIN_TRIALS_FOR_IMPORTANCE = 4
MAX_PARALLEL_PARAMS = 8


@dataclass(frozen=True)
class Point:
    """Results of one configuration of a grid, over seeds.

    Attributes:
        low, high: 95 % interval of the mean, by Student's t; None for a single seed.
    """

    params: dict[str, Any]
    seeds: list[str]
    values: list[float]
    mean: float
    low: float | None
    high: float | None


def write_sweep_report(sweep: Sweep) -> Path:
    """Write `report.html` into the sweep's folder and return its path."""
    path = sweep.folder / "report.html"
    write_page(path, render(sweep))
    return path


def render(sweep: Sweep) -> str:
    """The HTML page."""
    metric, minimize = sweep.metric_names[0], sweep.directions[0] == "minimize"
    done = sweep.finished
    varied = [p for p in sweep.params if len({text(t.params.get(p)) for t in sweep.trials}) > 1]
    shares, no_shares = importance(sweep, varied)
    several = len(sweep.metric_names) > 1
    complete = [p for p in varied if all(p in t.params for t in done)][:MAX_PARALLEL_PARAMS]
    return page(
        "sweep.html.j2",
        title=f"sweep · {'/'.join(sweep.folder.parts[-2:])}",
        headline=_headline(sweep),
        facts=_facts(sweep),
        sweep=sweep,
        best=[(t, sweep.command_of(t)) for t in sweep.best],
        points=points(sweep),
        front=Markup(figures.front("front", sweep.metric_names, done, sweep.best) if several and len(done) > 1 else ""),
        history=[
            Markup(figures.history(f"history{i}", m, sweep.trials, index=i, minimize=d == "minimize"))
            for i, (m, d) in enumerate(zip(sweep.metric_names, sweep.directions, strict=True))
            if len(done) > 1
        ],
        shares=[(m, Markup(figures.importances(f"importance{i}", s))) for i, (m, s) in enumerate(shares.items())],
        no_shares=no_shares,
        parallel=Markup(
            figures.parallel("parallel", metric, done, complete, minimize=minimize)
            if len(done) > 1 and complete
            else ""
        ),
        slices=[
            Markup(figures.slice_of(f"slice{i}-{j}", m, p, done, index=i))
            for i, m in enumerate(sweep.metric_names)
            for j, p in enumerate(varied)
            if len(done) > 1
        ],
        text=text,
        short=short,
        duration=_duration,
    )


def importance(sweep: Sweep, params: list[str]) -> tuple[dict[str, dict[str, float]], str]:
    """fANOVA importances (Hutter et al. 2014) by metric and parameter, or the reason why there are none."""
    if sweep.study is None or not params:
        return {}, ""
    if len(sweep.finished) < MIN_TRIALS_FOR_IMPORTANCE:
        return {}, f"Importances need {MIN_TRIALS_FOR_IMPORTANCE} finished trials; there are {len(sweep.finished)}."
    shares: dict[str, dict[str, float]] = {}
    for i, metric in enumerate(sweep.metric_names):
        if len({t.values[i] for t in sweep.finished}) == 1:
            return {}, f"All trials have the same {metric}: no parameter made a difference."

        def value(trial: optuna.trial.FrozenTrial, i: int = i) -> float:
            return float(trial.values[i])

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            found = get_param_importances(sweep.study, evaluator=FanovaImportanceEvaluator(seed=0), target=value)
        shares[metric] = {name: share for name, share in found.items() if name in params}
    return shares, ""


def points(sweep: Sweep) -> list[Point]:
    """Configurations of a grid, best mean over seeds first; empty for a study."""
    if sweep.study is not None:
        return []
    groups: dict[tuple[tuple[str, str], ...], list[TrialRow]] = {}
    for trial in sweep.finished:
        groups.setdefault(tuple((k, text(v)) for k, v in trial.params.items() if k != "seed"), []).append(trial)
    found = []
    for params, trials in groups.items():
        values = [t.values[0] for t in trials]
        mean = sum(values) / len(values)
        low = high = None
        if len(values) > 1:
            half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
            low, high = mean - half, mean + half
        seeds = [text(t.params["seed"]) for t in trials if "seed" in t.params]
        found.append(Point(dict(params), seeds, values, mean, low, high))
    return sorted(found, key=lambda p: -p.mean)


def short(value: Any) -> str:
    """A value as text; floats with four digits."""
    return f"{value:.4g}" if isinstance(value, float) else text(value)


def _headline(sweep: Sweep) -> str:
    if not sweep.best:
        ended = sum(t.state == "finished" for t in sweep.trials)
        return f"{ended} finished without a {sweep.metric_names[0]}" if ended else "No trial has finished yet"
    if len(sweep.metric_names) > 1:
        return f"{len(sweep.best)} of {len(sweep.finished)} trials are Pareto-optimal"
    best = sweep.best[0]
    settings = ", ".join(f"{k}={short(v)}" for k, v in best.params.items())
    if (ranked := points(sweep)) and len(ranked[0].values) > 1:
        first = ranked[0]
        named = ", ".join(f"{k}={v}" for k, v in first.params.items())
        return (
            f"{sweep.metric_names[0]} {first.mean:.4g} [{first.low:.4g}, {first.high:.4g}], mean over "
            f"{len(first.values)} runs of {named or 'one configuration'}"
        )
    return f"{sweep.metric_names[0]} {best.values[0]:.4g} in trial {best.number}: {settings}"


def _facts(sweep: Sweep) -> list[tuple[str, str]]:
    counts = Counter(t.state for t in sweep.trials)
    total = sum(t.seconds or 0.0 for t in sweep.trials)
    facts = [
        ("trials", ", ".join(f"{n} {state}" for state, n in counts.items())),
        ("metric", ", ".join(f"{d} {m}" for m, d in zip(sweep.metric_names, sweep.directions, strict=True))),
        ("measured on", "validation if available; each run's report has its test results"),
        ("time of all trials", _duration(total)),
    ]
    if (record := sweep.record) is not None:
        facts += [("study", record.study), ("sampler", record.sampler), ("pruner", record.pruner)]
        facts.append(("target", f"{record.n_trials} trials"))
    return facts


def _duration(seconds: float | None) -> str:
    return "–" if seconds is None else str(timedelta(seconds=round(seconds)))
