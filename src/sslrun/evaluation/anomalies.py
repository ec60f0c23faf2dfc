"""How ill each timestamp of a series fits: scores of a whole split, and how well they find labelled anomalies.

A window's score is its highest timestamp's. Areas under the ROC curve and average precision are of single timestamps
and of windows, without the adjustment that counts a whole anomaly as found where one of its timestamps is: with it
random scores look good (Kim et al. 2022, arXiv:2109.05257).
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from sslrun.core.rows import Row
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.classification import average_precision, macro_auroc
from sslrun.evaluation.intervals import percentile_interval, resampled_counts

Score = Callable[[Tensor], Tensor]
"""(B, T, C) normalised series, NaN where nothing is -> (B, T), NaN where there is no score."""
Scores = dict[int, np.ndarray]
"""By recording (T,) float64; NaN outside the split and where nothing is."""
RESAMPLES = 200
TOP_SHARE = 0.99


def score_split(data: SeriesData, split: str, score: Score, *, batch_size: int) -> Scores:
    """Scores of every timestamp of a split, the mean over the windows that it is seen in.

    Windows are as long as the encoder sees and overlap by half; the last one ends with the stretch. What is seen may
    reach back into the split before.
    """
    totals = {i: np.zeros(len(values)) for i, values, _, _ in data.stretches(split)}
    counts = {i: np.zeros(len(values)) for i, values, _, _ in data.stretches(split)}
    places = [
        (i, values, place, first)
        for i, values, first, last in data.stretches(split)
        for place in window_places(first, last, length=data.max_length)
    ]
    for start in range(0, len(places), batch_size):
        chunk = places[start : start + batch_size]
        batch = data.collate([{"series": values[a:b]} for _, values, (a, b), _ in chunk])["series"]
        told = score(batch).double().cpu().numpy()  # (B, T)
        for (i, _, (a, b), first), of_window in zip(chunk, told, strict=True):
            kept = of_window[: b - a].copy()
            kept[: max(0, first - a)] = np.nan
            totals[i][a:b] += np.nan_to_num(kept)
            counts[i][a:b] += ~np.isnan(kept)
    return {i: np.where(counts[i] > 0, total / np.maximum(counts[i], 1), np.nan) for i, total in totals.items()}


def window_places(first: int, last: int, *, length: int) -> Iterator[tuple[int, int]]:
    """First and behind-the-last rows of windows that cover [first, last); a short stretch reaches back to row 0."""
    step = max(1, length // 2)
    for start in range(first, last - length, step):
        yield start, start + length
    yield max(0, last - length), last


def deviation(series: Tensor) -> Tensor:
    """(B, T, C) -> (B, T): the squared distance from train's mean, in its variances; what learns nothing."""
    return series.square().nanmean(dim=2)


def anomaly_rows(scores: Scores, data: SeriesData, split: str, *, encoder: str, seed: int) -> list[Row]:
    """Rows `anomaly`: `score_p99`, and where anomalies are labelled `auroc` and `average_precision`.

    Condition `timestamp` or `window`. Intervals are a bootstrap over blocks of as many timestamps as a window has, and
    over windows. Of one kind alone, anomalies or none, there is no area.
    """
    known = data.anomalies(split)
    rows = []
    for condition, (told, truth, blocks) in {
        "timestamp": _timestamps(scores, known, data, split),
        "window": _windows(scores, known, data, split),
    }.items():
        row = functools.partial(
            Row,
            encoder=encoder,
            dataset=data.name,
            split=split,
            evaluation="anomaly",
            condition=condition,
            n=len(told),
            seed=seed,
        )
        if truth is not None and 0 < truth.sum() < len(truth):
            rows += _found(told, truth, blocks, row=row, seed=seed)
        rows.append(row(metric="score_p99", value=float(np.quantile(told, TOP_SHARE))))
    return rows


def highest_windows(scores: Scores, data: SeriesData, split: str, *, count: int) -> list[tuple[float, int, int]]:
    """(score, recording, row of the highest timestamp) of the windows that fit worst."""
    found = []
    for recording, first, last in data.windows(split).tolist():
        part = scores[recording][first:last]
        if not np.isnan(part).all():
            row = int(np.nanargmax(part))
            found.append((float(part[row]), recording, first + row))
    return sorted(dict.fromkeys(found), reverse=True)[:count]


Told = tuple[np.ndarray, np.ndarray | None, np.ndarray]
"""(n,) scores, (n,) bool truth, (n,) block of each."""


def _timestamps(scores: Scores, known: list[np.ndarray] | None, data: SeriesData, split: str) -> Told:
    told, truth, blocks, begun = [], [], [], 0
    for i, _, first, last in data.stretches(split):
        there = ~np.isnan(scores[i][first:last])
        told.append(scores[i][first:last][there])
        blocks.append(begun + np.arange(last - first)[there] // data.max_length)
        begun += -(-(last - first) // data.max_length)
        if known is not None:
            truth.append(known[i][first:last][there])
    return np.concatenate(told), np.concatenate(truth) if truth else None, np.concatenate(blocks)


def _windows(scores: Scores, known: list[np.ndarray] | None, data: SeriesData, split: str) -> Told:
    there = [(i, a, b) for i, a, b in data.windows(split).tolist() if not np.isnan(scores[i][a:b]).all()]
    told = np.array([np.nanmax(scores[i][a:b]) for i, a, b in there])
    truth = None if known is None else np.array([known[i][a:b].any() for i, a, b in there])
    return told, truth, np.arange(len(there))


def _found(told: np.ndarray, truth: np.ndarray, blocks: np.ndarray, *, row: Callable[..., Row], seed: int) -> list[Row]:
    both = torch.from_numpy(np.stack([-told, told], axis=1))  # (n, 2): of both classes the area is the same
    labels, block = torch.from_numpy(truth.astype(np.int64)), torch.from_numpy(blocks)
    each = torch.ones(int(block.max()) + 1, dtype=torch.int64)
    drawn = torch.cat(list(resampled_counts(each, resamples=RESAMPLES, seed=seed)))  # (R, blocks)
    areas, precisions = [], []
    for of_blocks in drawn:  # one at a time: (R, n) may not fit
        weights = of_blocks[block].double()[None]
        areas.append(macro_auroc(both, labels, weights=weights))
        precisions.append(average_precision(both[:, 1], labels.bool(), weights=weights))
    ones = torch.ones(1, len(told), dtype=torch.float64)
    measured = {
        "auroc": (macro_auroc(both, labels, weights=ones).item(), torch.cat(areas)),
        "average_precision": (
            average_precision(both[:, 1], labels.bool(), weights=ones).item(),
            torch.cat(precisions),
        ),
    }
    rows = []
    for metric, (value, resampled) in measured.items():
        low, high = percentile_interval(resampled)
        rows.append(row(metric=metric, value=value, low=low, high=high))
    return rows
