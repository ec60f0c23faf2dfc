"""Macro F1 and AUROC as means of per-item values, so that intervals of a mean apply.

An item's value is the statistic plus the item's influence, n times its first-order contribution (delta method; for
AUROC the components of DeLong et al. 1988). The mean of the values is the statistic; their variance / n is its sampling
variance.
"""

import torch
from torch import Tensor


def macro_f1_items(prediction: Tensor, labels: Tensor, *, num_classes: int) -> Tensor:
    """(N,) float64 whose mean is the mean F1 over the classes that occur as label or prediction.

    Args:
        prediction, labels: (N,) int64.
    """
    is_label = torch.nn.functional.one_hot(labels, num_classes).double()  # (N, C)
    is_predicted = torch.nn.functional.one_hot(prediction, num_classes).double()
    hit, either = is_label * is_predicted, is_label + is_predicted
    occurs = either.sum(dim=0) > 0  # (C,)
    hit, either = hit[:, occurs], either[:, occurs]
    f1 = 2 * hit.sum(dim=0) / either.sum(dim=0)  # (C',)
    contribution = (2 * hit - f1 * either) / either.sum(dim=0)  # (N, C') of each item to f1; sums to 0
    return (f1 + len(labels) * contribution).mean(dim=1)


def auroc_items(probabilities: Tensor, labels: Tensor) -> Tensor | None:
    """(N,) float64 whose mean is the macro-averaged one-vs-rest area under the ROC curve.

    Args:
        probabilities: (N, C); ties count half.
        labels: (N,) int64.

    Returns:
        None if some class has no items, or all of them.
    """
    n, num_classes = probabilities.shape
    counts = torch.bincount(labels, minlength=num_classes)
    if (counts == 0).any() or (counts == n).any():
        return None
    total = torch.zeros(n, dtype=torch.float64)
    for c in range(num_classes):
        score, positive = probabilities[:, c].contiguous(), labels == c
        above = _share_below(score[positive], score[~positive])  # (P,) share of negatives below each positive
        below = 1 - _share_below(score[~positive], score[positive])  # (N - P,) share of positives above each negative
        area = above.mean()
        total += area
        total[positive] += (above - area) * n / len(above)
        total[~positive] += (below - area) * n / len(below)
    return total / num_classes


def _share_below(values: Tensor, others: Tensor) -> Tensor:
    """(P,) float64 share of `others` below each of (P,) values; ties count half."""
    ordered = others.sort().values
    return (torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)).double() / (
        2 * len(ordered)
    )
