"""k-nearest-neighbour classification of frozen features, without hyperparameter selection."""

from collections.abc import Sequence
from dataclasses import replace

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.intervals import mean_row
from sslrun.metrics.neighbours import nearest, vote


def knn_rows(
    bank: Labelled,
    queries: Labelled,
    *,
    num_classes: int,
    key: RowKey,
    ks: Sequence[int] = (1, 20),
    temperature: float = 0.07,
) -> list[Row]:
    """Row top1 for each k, evaluation `knn1`, `knn20`, …; with fewer than k items in the bank, all of them vote.

    Args:
        temperature: of the vote weights; 0.07 as in arXiv:1805.01978.
    """
    similarities, index = nearest(bank.features, queries.features, k=max(ks))  # (N, K)
    neighbours = bank.labels[index]
    rows = []
    for k in ks:
        shares = vote(similarities[:, :k], neighbours[:, :k], num_classes=num_classes, temperature=temperature)
        correct = (shares.argmax(dim=1) == queries.labels).double()
        rows.append(mean_row(replace(key, evaluation=f"knn{k}"), "top1", correct))
    return rows
