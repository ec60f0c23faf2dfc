"""Anomaly scores of every timestamp of a split, and how well they detect labelled anomalies.

A window's score is the maximum over its timestamps. AUROC and average precision are computed over timestamps and over
windows, without point adjustment (an anomaly counts as detected if any of its timestamps is), under which random scores
look good (Kim et al. 2022, arXiv:2109.05257).
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
"""Recording index -> (T,) float64; NaN outside the split and where values are missing."""
RESAMPLES = 200
TOP_SHARE = 0.99


def score_split(data: SeriesData, split: str, score: Score, *, batch_size: int) -> Scores:
    """Score of every timestamp of a split: the mean over the windows that contain it.

    Windows have the encoder's length and overlap by half; the last one ends where the recording's part of the split
    ends. A window may reach back into the previous split.
    """
    totals = {i: np.zeros(len(values)) for i, values, _, _ in data.segments(split)}
    counts = {i: np.zeros(len(values)) for i, values, _, _ in data.segments(split)}
    windows = [
        (i, values, window, first)
        for i, values, first, last in data.segments(split)
        for window in window_ranges(first, last, length=data.max_length)
    ]
    for start in range(0, len(windows), batch_size):
        chunk = windows[start : start + batch_size]
        batch = data.collate([{"series": values[a:b]} for _, values, (a, b), _ in chunk])["series"]
        window_scores = score(batch).double().cpu().numpy()  # (B, T)
        for (i, _, (a, b), first), of_window in zip(chunk, window_scores, strict=True):
            kept = of_window[: b - a].copy()
            kept[: max(0, first - a)] = np.nan
            totals[i][a:b] += np.nan_to_num(kept)
            counts[i][a:b] += ~np.isnan(kept)
    return {i: np.where(counts[i] > 0, total / np.maximum(counts[i], 1), np.nan) for i, total in totals.items()}


def window_ranges(first: int, last: int, *, length: int) -> Iterator[tuple[int, int]]:
    """Half-open row ranges of the windows that cover [first, last); if it is too short, the window starts before it."""
    step = max(1, length // 2)
    for start in range(first, last - length, step):
        yield start, start + length
    yield max(0, last - length), last


def deviation(series: Tensor) -> Tensor:
    """(B, T, C) -> (B, T): mean over channels of the squared normalised values; an untrained baseline."""
    return series.square().nanmean(dim=2)


class Scored(NamedTuple):
    """Timestamps or windows with their scores.

    Attributes:
        scores: (n,).
        is_anomaly: (n,) bool; None without labels.
        block: (n,) int64, the bootstrap block of each.
    """

    scores: np.ndarray
    is_anomaly: np.ndarray | None
    block: np.ndarray


def anomaly_rows(scores: Scores, data: SeriesData, *, key: RowKey) -> list[Row]:
    """Rows `anomaly`: `score_p99`, and `auroc` and `average_precision` if anomalies are labelled.

    Condition `timestamp` or `window`. Intervals bootstrap windows, and for timestamps blocks of one window's length.
    Without both classes `auroc` and `average_precision` are omitted.
    """
    labels = data.anomalies(key.split)
    rows = []
    for condition, scored in {
        "timestamp": _timestamps(scores, labels, data, key.split),
        "window": _windows(scores, labels, data, key.split),
    }.items():
        of_condition = replace(key, evaluation="anomaly", condition=condition)
        if scored.is_anomaly is not None and 0 < scored.is_anomaly.sum() < len(scored.is_anomaly):
            rows += _area_rows(scored.scores, scored.is_anomaly, scored.block, key=of_condition)
        high = float(np.quantile(scored.scores, TOP_SHARE))
        rows.append(of_condition.row("score_p99", high, n=len(scored.scores)))
    return rows


def top_windows(scores: Scores, data: SeriesData, split: str, *, count: int) -> list[tuple[float, int, int]]:
    """(score, recording, row of the highest timestamp) of the windows with the highest scores."""
    found = []
    for recording, first, last in data.windows(split).tolist():
        part = scores[recording][first:last]
        if not np.isnan(part).all():
            row = int(np.nanargmax(part))
            found.append((float(part[row]), recording, first + row))
    return sorted(dict.fromkeys(found), reverse=True)[:count]


def _timestamps(scores: Scores, labels: list[np.ndarray] | None, data: SeriesData, split: str) -> Scored:
    values, is_anomaly, blocks, first_block = [], [], [], 0
    for i, _, first, last in data.segments(split):
        has_score = ~np.isnan(scores[i][first:last])
        values.append(scores[i][first:last][has_score])
        blocks.append(first_block + np.arange(last - first)[has_score] // data.max_length)
        first_block += -(-(last - first) // data.max_length)
        if labels is not None:
            is_anomaly.append(labels[i][first:last][has_score])
    return Scored(np.concatenate(values), np.concatenate(is_anomaly) if is_anomaly else None, np.concatenate(blocks))


def _windows(scores: Scores, labels: list[np.ndarray] | None, data: SeriesData, split: str) -> Scored:
    scored = [(i, a, b) for i, a, b in data.windows(split).tolist() if not np.isnan(scores[i][a:b]).all()]
    highest = np.array([np.nanmax(scores[i][a:b]) for i, a, b in scored])
    is_anomaly = None if labels is None else np.array([labels[i][a:b].any() for i, a, b in scored])
    return Scored(highest, is_anomaly, np.arange(len(scored)))


def _area_rows(scores: np.ndarray, is_anomaly: np.ndarray, blocks: np.ndarray, *, key: RowKey) -> list[Row]:
    both = torch.from_numpy(np.stack([-scores, scores], axis=1))  # (n, 2): both classes have the same AUROC
    labels, block = torch.from_numpy(is_anomaly.astype(np.int64)), torch.from_numpy(blocks)
    ones = torch.ones(int(block.max()) + 1, dtype=torch.int64)
    resamples = torch.cat(list(resampled_counts(ones, resamples=RESAMPLES, seed=key.seed)))  # (R, blocks)

    def areas(weights: Tensor) -> tuple[Tensor, Tensor]:
        """AUROC and average precision, (1,) each, for (1, n) weights."""
        precision = average_precision(both[:, 1], labels.bool(), weights=weights)
        return macro_auroc(both, labels, weights=weights), precision

    values = areas(torch.ones(1, len(scores), dtype=torch.float64))
    # one at a time: (R, n) weights may not fit in memory
    resampled = [areas(counts[block].double()[None]) for counts in resamples]
    return [
        key.row(metric, value.item(), n=len(scores), interval=percentile_interval(torch.cat(statistics)))
        for metric, value, statistics in zip(
            ("auroc", "average_precision"), values, zip(*resampled, strict=True), strict=True
        )
    ]
