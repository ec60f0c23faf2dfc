"""Nearest neighbours on frozen features: no training, no hyperparameter to choose."""

from collections.abc import Sequence

from torch import Tensor

from sslrun.core.rows import Row
from sslrun.evaluation.intervals import mean_row
from sslrun.metrics.neighbours import nearest, vote


def knn_rows(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    *,
    num_classes: int,
    encoder: str,
    dataset: str,
    seed: int,
    split: str = "test",
    condition: str = "",
    ks: Sequence[int] = (1, 20),
    temperature: float = 0.07,
) -> list[Row]:
    """A top1 row for each k, evaluation `knn1`, `knn20`, …; the neighbours are searched once.

    A bank smaller than k votes whole, and the row keeps the name of k.

    Args:
        train: (M, D) features, the bank.
        test: (N, D) features.
        temperature: of the votes, arXiv:1805.01978; 0.07 as there.
    """
    similarities, index = nearest(train, test, k=max(ks))  # (N, K)
    neighbours = train_labels[index]
    rows = []
    for k in ks:
        shares = vote(similarities[:, :k], neighbours[:, :k], num_classes=num_classes, temperature=temperature)
        correct = (shares.argmax(dim=1) == test_labels).double()
        rows.append(
            mean_row(
                correct,
                encoder=encoder,
                dataset=dataset,
                split=split,
                evaluation=f"knn{k}",
                metric="top1",
                seed=seed,
                condition=condition,
            )
        )
    return rows
