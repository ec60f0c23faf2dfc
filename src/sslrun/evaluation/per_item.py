"""Macro F1 and AUROC as means over test items, so that their intervals are those of a mean.

Each function gives one value per item, the statistic plus n times the item's first-order share in it (the delta method;
for AUROC the components of DeLong et al. 1988). Their mean is the statistic, and their variance over n is its sampling
variance; averaged over draws they keep what the draws have in common.
"""

import torch
from torch import Tensor


def macro_f1_items(prediction: Tensor, labels: Tensor, *, num_classes: int) -> Tensor:
    """(N,) float64 whose mean is the mean F1 of the classes that occur as truth or prediction.

    Args:
        prediction, labels: (N,) int64.
    """
    is_label = torch.nn.functional.one_hot(labels, num_classes).double()  # (N, C)
    is_predicted = torch.nn.functional.one_hot(prediction, num_classes).double()
    hit, either = is_label * is_predicted, is_label + is_predicted
    occurs = either.sum(dim=0) > 0  # (C,)
    hit, either = hit[:, occurs], either[:, occurs]
    f1 = 2 * hit.sum(dim=0) / either.sum(dim=0)  # (C',)
    share = (2 * hit - f1 * either) / either.sum(dim=0)  # of item i in f1, first order; sums to 0
    return (f1 + len(labels) * share).mean(dim=1)


def auroc_items(probabilities: Tensor, labels: Tensor) -> Tensor | None:
    """(N,) float64 whose mean is the area under the ROC curve of each class against the rest, averaged over classes.

    Args:
        probabilities: (N, C); ties count half.
        labels: (N,) int64.

    Returns:
        None if a class is absent from the labels, or is all of them.
    """
    n, num_classes = probabilities.shape
    counts = torch.bincount(labels, minlength=num_classes)
    if (counts == 0).any() or (counts == n).any():
        return None
    total = torch.zeros(n, dtype=torch.float64)
    for c in range(num_classes):
        score, positive = probabilities[:, c].contiguous(), labels == c
        above = _share_below(score[positive], score[~positive])  # (P,) of the negatives, below each positive
        below = 1 - _share_below(score[~positive], score[positive])  # (N - P,) of the positives, above each negative
        area = above.mean()
        total += area
        total[positive] += (above - area) * n / len(above)
        total[~positive] += (below - area) * n / len(below)
    return total / num_classes


def _share_below(values: Tensor, others: Tensor) -> Tensor:
    """(P,) share of `others` that lie below each value, ties by half; float64."""
    ordered = others.sort().values
    return (torch.searchsorted(ordered, values) + torch.searchsorted(ordered, values, right=True)).double() / (
        2 * len(ordered)
    )
