"""The classifier that representations of series are compared by: a support vector machine with a Gaussian kernel.

The protocol of TS2Vec (section 4.1 of arXiv:2106.10466, after Franceschi et al. 2019): all labels of train and
validation together, the penalty chosen by cross-validation among them, and fixed if they are few.
"""

from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.intervals import mean_row

HARDEST = 1e9
"""scikit-learn's C of a machine without slack; the authors' infinity."""
PENALTIES = (*(10.0**k for k in range(-4, 5)), HARDEST)
FEWEST, FEWEST_PER_CLASS = 50, 5
"""With fewer labels nothing is cross-validated."""
MOST = 10_000
"""A kernel of more labels takes too long, so this many are drawn."""


def svm_row(train: Labelled, validation: Labelled, test: Labelled, *, key: RowKey) -> Row:
    """The row `svm` top1."""
    x, y = (torch.cat(pair).numpy() for pair in zip(train, validation, strict=True))
    if len(x) > MOST:
        drawn = np.sort(np.random.default_rng(key.seed).permutation(len(x))[:MOST])
        x, y = x[drawn], y[drawn]
    predicted = _fit(x, y, seed=key.seed).predict(test.features.numpy())
    correct = torch.from_numpy(predicted == test.labels.numpy()).double()
    return mean_row(replace(key, evaluation="svm"), "top1", correct)


def _fit(x: np.ndarray, y: np.ndarray, *, seed: int) -> SVC | GridSearchCV:
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if len(x) < FEWEST or len(x) // len(np.unique(y)) < FEWEST_PER_CLASS or smallest < 2:
        return SVC(C=HARDEST, gamma="scale").fit(x, y)
    folds = StratifiedKFold(min(5, smallest), shuffle=True, random_state=seed)
    return GridSearchCV(SVC(gamma="scale"), {"C": list(PENALTIES)}, cv=folds).fit(x, y)
