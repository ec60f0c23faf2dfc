"""Rows for class scores: accuracy, F1, balanced accuracy, AUROC and calibration, each with an interval."""

import torch
from torch import Tensor

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.intervals import EXTREMES, extreme_interval, mean_row, percentile_interval, resampled_counts

CALIBRATION_BINS = 15
SLOW_RESAMPLES = 200  # for AUROC and ECE, where a resample costs O(N)


def classification_rows(
    scores: Tensor,
    labels: Tensor,
    *,
    key: RowKey,
    logits: bool,
    resamples: int = 2000,
) -> list[Row]:
    """Rows top1, top5 (if C > 5), macro_f1, balanced_accuracy, auroc and ece.

    `auroc` is one-vs-rest, averaged over classes; it is omitted if a class is absent from the test set.
    Intervals are percentile bootstraps over test items; for a value of 0 or 1, the exact bound for the rarest class.

    Args:
        scores: (N, C) logits, or probabilities whose rows sum to 1.
        labels: (N,) int64 classes.
        logits: whether `scores` are logits.
    """
    scores, labels = scores.float().cpu(), labels.cpu()
    num_classes = scores.shape[1]
    probabilities = scores.softmax(dim=1) if logits else scores
    rows, rarest = [], int(torch.unique(labels, return_counts=True)[1].min())
    for k in (1, 5) if num_classes > 5 else (1,):
        correct = (scores.topk(k, dim=1).indices == labels[:, None]).any(dim=1).double()  # (N,)
        rows.append(mean_row(key, f"top{k}", correct, resamples=resamples))

    cells, counts = torch.unique(labels * num_classes + scores.argmax(dim=1), return_counts=True)  # (M,)
    from_counts = {"macro_f1": macro_f1, "balanced_accuracy": balanced_accuracy}
    resampled: dict[str, list[Tensor]] = {metric: [] for metric in from_counts}
    for resample in resampled_counts(counts, resamples=resamples, seed=key.seed):
        for metric, statistic in from_counts.items():
            resampled[metric].append(statistic(resample, cells, num_classes=num_classes))
    for metric, statistic in from_counts.items():
        value = statistic(counts.double()[None], cells, num_classes=num_classes).item()
        exact = extreme_interval(value, n=rarest) if value in EXTREMES else None
        interval = exact or percentile_interval(torch.cat(resampled[metric]))
        if metric == "balanced_accuracy" and interval[0] == interval[1]:
            interval = mean_extreme_interval(counts.double()[None], cells, num_classes=num_classes)
        rows.append(key.row(metric, value, n=len(labels), interval=interval))

    ones = torch.ones(len(labels), dtype=torch.int64)
    weights = torch.cat(list(resampled_counts(ones, resamples=SLOW_RESAMPLES, seed=key.seed)))  # (R, N)
    from_weights = {"auroc": macro_auroc, "ece": calibration_error}
    if len(torch.unique(labels)) < num_classes:
        del from_weights["auroc"]
    for metric, weighted in from_weights.items():
        value = weighted(probabilities, labels, weights=ones.double()[None]).item()
        statistics = weighted(probabilities, labels, weights=weights)
        # resampling widens the gap in every bin and so biases ECE upwards: centre the resamples on the value
        centred = (statistics - statistics.nanmean() + value).clamp(0, 1)
        exact = extreme_interval(value, n=rarest) if metric == "auroc" and value in EXTREMES else None
        rows.append(key.row(metric, value, n=len(labels), interval=exact or percentile_interval(centred)))
    return rows


def confusion_matrix(scores: Tensor, labels: Tensor) -> Tensor:
    """(C, C) int64 counts: rows are labels, columns predictions."""
    num_classes = scores.shape[1]
    cells = labels * num_classes + scores.argmax(dim=1)
    return torch.bincount(cells, minlength=num_classes**2).view(num_classes, num_classes)


def macro_f1(counts: Tensor, cells: Tensor, *, num_classes: int) -> Tensor:
    """Mean F1 over the classes that occur as label or prediction (scikit-learn's definition).

    Args:
        counts: (R, M) counts of M cells in R confusion matrices.
        cells: (M,) flat indices of those cells, label * num_classes + prediction.

    Returns:
        (R,) float64.
    """
    true_positives, truths, predictions = _margins(counts, cells, num_classes=num_classes)
    return (2 * true_positives / (truths + predictions)).nanmean(dim=1)  # 0 / 0 for an absent class


def balanced_accuracy(counts: Tensor, cells: Tensor, *, num_classes: int) -> Tensor:
    """Mean recall over the classes that occur as label; arguments and result as in `macro_f1`."""
    true_positives, truths, _ = _margins(counts, cells, num_classes=num_classes)
    return (true_positives / truths).nanmean(dim=1)


def mean_extreme_interval(counts: Tensor, cells: Tensor, *, num_classes: int) -> tuple[float, float]:
    """Interval of a balanced accuracy whose recalls are all 0 or 1, so that resampling shows no variance.

    The mean over classes of each recall's exact bounds; wider than 95 %.
    """
    true_positives, truths, _ = _margins(counts, cells, num_classes=num_classes)
    bounds = [
        extreme_interval(float(hits == total), n=int(total))
        for hits, total in zip(true_positives[0], truths[0], strict=True)
        if total > 0
    ]
    low, high = torch.tensor(bounds, dtype=torch.float64).mean(dim=0).tolist()
    return low, high


def _margins(counts: Tensor, cells: Tensor, *, num_classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Diagonals, row sums and column sums, (R, C) each."""
    truth, prediction = cells // num_classes, cells % num_classes
    zeros = counts.new_zeros(len(counts), num_classes)
    hit = truth == prediction
    return (
        zeros.index_add(1, truth[hit], counts[:, hit]),
        zeros.index_add(1, truth, counts),
        zeros.index_add(1, prediction, counts),
    )


def macro_auroc(probabilities: Tensor, labels: Tensor, *, weights: Tensor) -> Tensor:
    """Macro-averaged one-vs-rest area under the ROC curve; ties count half.

    Args:
        probabilities: (N, C).
        labels: (N,) int64.
        weights: (R, N) multiplicity of each item in R resamples.

    Returns:
        (R,) float64; classes absent from a resample are omitted from its mean.
    """
    areas = []
    for c in range(probabilities.shape[1]):
        score, order = probabilities[:, c].contiguous().sort()
        weight = weights[:, order]  # (R, N), ascending by score
        positive = (labels[order] == c).double()
        negatives = torch.nn.functional.pad((weight * (1 - positive)).cumsum(dim=1), (1, 0))  # (R, N + 1)
        is_positive = positive.bool()
        ranked = score[is_positive]
        below, not_above = torch.searchsorted(score, ranked), torch.searchsorted(score, ranked, right=True)
        outranked = (negatives[:, below] + negatives[:, not_above]) / 2  # (R, P) negatives below each positive
        weight = weight[:, is_positive]
        areas.append((outranked * weight).sum(dim=1) / (weight.sum(dim=1) * negatives[:, -1]))
    return torch.stack(areas).nanmean(dim=0)


def average_precision(scores: Tensor, is_positive: Tensor, *, weights: Tensor) -> Tensor:
    """Average precision, the step-wise area under the precision-recall curve; tied scores form one step.

    Args:
        scores: (N,).
        is_positive: (N,) bool.
        weights: (R, N) multiplicity of each item in R resamples.

    Returns:
        (R,) float64; NaN for a resample without positives.
    """
    score, order = scores.neg().sort()  # descending
    weight = weights[:, order]
    hits = weight * is_positive[order]
    tie_end = torch.searchsorted(score, score, right=True) - 1
    precision = hits.cumsum(dim=1)[:, tie_end] / weight.cumsum(dim=1)[:, tie_end].clamp_min(1e-12)
    return (hits * precision).sum(dim=1) / hits.sum(dim=1)


def calibration_error(probabilities: Tensor, labels: Tensor, *, weights: Tensor) -> Tensor:
    """Expected calibration error with 15 equal-width confidence bins: eq. 3, arXiv:1706.04599 (Guo et al. 2017).

    Arguments and result as in `macro_auroc`.
    """
    confidence, prediction = probabilities.double().max(dim=1)
    gap = (prediction == labels).double() - confidence  # (N,)
    bins = ((confidence * CALIBRATION_BINS).ceil().long() - 1).clamp(0, CALIBRATION_BINS - 1)
    per_bin = weights.new_zeros(len(weights), CALIBRATION_BINS).index_add(1, bins, weights * gap)  # (R, bins)
    return per_bin.abs().sum(dim=1) / weights.sum(dim=1)
