"""How badly each timestamp of a series fits: scores of a whole split, and how well they find labelled anomalies.

A window's score is its highest timestamp's. Areas under the ROC curve and average precision are of single timestamps
and of windows, without the adjustment that counts a whole anomaly as found if one of its timestamps is: with it random
scores look good (Kim et al. 2022, arXiv:2109.05257).
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.classification import average_precision, macro_auroc
from sslrun.evaluation.intervals import percentile_interval, resampled_counts

Score = Callable[[Tensor], Tensor]
"""(B, T, C) normalised series, NaN where values are missing -> (B, T), NaN where there is no score."""
Scores = dict[int, np.ndarray]
"""By recording (T,) float64; NaN outside the split and where values are missing."""
RESAMPLES = 200
TOP_SHARE = 0.99


def score_split(data: SeriesData, split: str, score: Score, *, batch_size: int) -> Scores:
    """Scores of every timestamp of a split, the mean over the windows that contain it.

    Windows have the encoder's length and overlap by half; the last one ends with the stretch. A window may reach back
    into the split before.
    """
    totals = {i: np.zeros(len(values)) for i, values, _, _ in data.segments(split)}
    counts = {i: np.zeros(len(values)) for i, values, _, _ in data.segments(split)}
    places = [
        (i, values, place, first)
        for i, values, first, last in data.segments(split)
        for place in window_places(first, last, length=data.max_length)
    ]
    for start in range(0, len(places), batch_size):
        chunk = places[start : start + batch_size]
        batch = data.collate([{"series": values[a:b]} for _, values, (a, b), _ in chunk])["series"]
        windows = score(batch).double().cpu().numpy()  # (B, T)
        for (i, _, (a, b), first), of_window in zip(chunk, windows, strict=True):
            kept = of_window[: b - a].copy()
            kept[: max(0, first - a)] = np.nan
            totals[i][a:b] += np.nan_to_num(kept)
            counts[i][a:b] += ~np.isnan(kept)
    return {i: np.where(counts[i] > 0, total / np.maximum(counts[i], 1), np.nan) for i, total in totals.items()}


def window_places(first: int, last: int, *, length: int) -> Iterator[tuple[int, int]]:
    """Half-open ranges of rows, windows that cover [first, last); that of a short stretch reaches back to row 0."""
    step = max(1, length // 2)
    for start in range(first, last - length, step):
        yield start, start + length
    yield max(0, last - length), last


def deviation(series: Tensor) -> Tensor:
    """(B, T, C) -> (B, T): the squared distance from the mean of train, in its variances; it learns nothing."""
    return series.square().nanmean(dim=2)


class Scored(NamedTuple):
    """Timestamps or windows with their scores.

    Attributes:
        scores: (n,).
        is_anomaly: (n,) bool; None without labels.
        block: (n,) int64, which block of the bootstrap each belongs to.
    """

    scores: np.ndarray
    is_anomaly: np.ndarray | None
    block: np.ndarray


def anomaly_rows(scores: Scores, data: SeriesData, *, key: RowKey) -> list[Row]:
    """Rows `anomaly`: `score_p99`, and `auroc` and `average_precision` if anomalies are labelled.

    Condition `timestamp` or `window`. Intervals are a bootstrap over blocks of as many timestamps as a window has, and
    over windows. There is no area if all are anomalies, or none is.
    """
    known = data.anomalies(key.split)
    rows = []
    for condition, scored in {
        "timestamp": _timestamps(scores, known, data, key.split),
        "window": _windows(scores, known, data, key.split),
    }.items():
        of_condition = replace(key, evaluation="anomaly", condition=condition)
        if scored.is_anomaly is not None and 0 < scored.is_anomaly.sum() < len(scored.is_anomaly):
            rows += _area_rows(scored.scores, scored.is_anomaly, scored.block, key=of_condition)
        high = float(np.quantile(scored.scores, TOP_SHARE))
        rows.append(of_condition.row("score_p99", high, n=len(scored.scores)))
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


def _timestamps(scores: Scores, known: list[np.ndarray] | None, data: SeriesData, split: str) -> Scored:
    values, is_anomaly, blocks, begun = [], [], [], 0
    for i, _, first, last in data.segments(split):
        has_score = ~np.isnan(scores[i][first:last])
        values.append(scores[i][first:last][has_score])
        blocks.append(begun + np.arange(last - first)[has_score] // data.max_length)
        begun += -(-(last - first) // data.max_length)
        if known is not None:
            is_anomaly.append(known[i][first:last][has_score])
    return Scored(np.concatenate(values), np.concatenate(is_anomaly) if is_anomaly else None, np.concatenate(blocks))


def _windows(scores: Scores, known: list[np.ndarray] | None, data: SeriesData, split: str) -> Scored:
    scored = [(i, a, b) for i, a, b in data.windows(split).tolist() if not np.isnan(scores[i][a:b]).all()]
    highest = np.array([np.nanmax(scores[i][a:b]) for i, a, b in scored])
    is_anomaly = None if known is None else np.array([known[i][a:b].any() for i, a, b in scored])
    return Scored(highest, is_anomaly, np.arange(len(scored)))


def _area_rows(scores: np.ndarray, is_anomaly: np.ndarray, blocks: np.ndarray, *, key: RowKey) -> list[Row]:
    both = torch.from_numpy(np.stack([-scores, scores], axis=1))  # (n, 2): both classes have the same area
    labels, block = torch.from_numpy(is_anomaly.astype(np.int64)), torch.from_numpy(blocks)
    each = torch.ones(int(block.max()) + 1, dtype=torch.int64)
    drawn = torch.cat(list(resampled_counts(each, resamples=RESAMPLES, seed=key.seed)))  # (R, blocks)

    def areas(weights: Tensor) -> tuple[Tensor, Tensor]:
        """(1,) each, of (1, n) weights."""
        precision = average_precision(both[:, 1], labels.bool(), weights=weights)
        return macro_auroc(both, labels, weights=weights), precision

    values = areas(torch.ones(1, len(scores), dtype=torch.float64))
    resampled = [areas(of_blocks[block].double()[None]) for of_blocks in drawn]  # one at a time: (R, n) may not fit
    return [
        key.row(metric, value.item(), n=len(scores), interval=percentile_interval(torch.cat(statistics)))
        for metric, value, statistics in zip(
            ("auroc", "average_precision"), values, zip(*resampled, strict=True), strict=True
        )
    ]
