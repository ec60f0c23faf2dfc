import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sslrun.core.rows import RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.knn import knn_rows

KEY = RowKey(encoder="pixels", dataset="digits", seed=0)


def test_rows_of_hand_made_neighbours():
    # by cosine: the query's nearest is class 0, but two of class 1 come next and outvote it at temperature 1
    train = torch.tensor([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2]])
    rows = knn_rows(
        Labelled(train, torch.tensor([0, 1, 1])),
        Labelled(torch.tensor([[5.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1])),
        num_classes=2,
        ks=(1, 3),
        temperature=1.0,
        key=KEY,
    )
    assert [(r.evaluation, r.metric, r.value, r.n) for r in rows] == [("knn1", "top1", 1, 2), ("knn3", "top1", 0.5, 2)]


def test_one_neighbour_on_digits_is_that_of_sklearn():
    x, y = load_digits(return_X_y=True)
    features, labels = torch.from_numpy(x).float(), torch.from_numpy(y)
    train, test = slice(0, 1200), slice(1200, None)
    bank, queries = (Labelled(features[part], labels[part]) for part in (train, test))
    [row] = knn_rows(bank, queries, num_classes=10, ks=(1,), key=KEY)
    reference = KNeighborsClassifier(1, metric="cosine").fit(x[train], y[train]).score(x[test], y[test])
    assert row.value == pytest.approx(reference, abs=0.002)
    assert row.low < row.value < row.high


def test_a_bank_smaller_than_k_votes_whole():
    bank = Labelled(torch.eye(3), torch.arange(3))
    [row] = knn_rows(bank, bank, num_classes=3, ks=(20,), key=KEY)
    assert (row.evaluation, row.value) == ("knn20", 1)
