"""Which labels are trained on, and which stop the run."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from sslrun.evaluation.goals.classification import Classification


def test_the_only_label_of_a_class_is_trained_on() -> None:
    known = np.repeat([0, 1, 2], [500, 500, 40])
    data: Any = SimpleNamespace(labels=lambda split: known, classes=("a", "b", "c"))
    split = Classification(data).few_label_split(0.02, seed=0)
    assert np.bincount(known[split.train]).tolist() == [8, 8, 1]
    assert np.bincount(known[split.validation]).tolist() == [2, 2]
    assert not set(split.train) & set(split.validation)
