"""Support vector machine with a Gaussian kernel, the standard evaluation of series representations.

The protocol of TS2Vec (section 4.1 of arXiv:2106.10466, after Franceschi et al. 2019): train on train and validation
together, with the penalty chosen by cross-validation, or fixed for few labels.
"""

from dataclasses import replace

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from sslrun.core.rows import Row, RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.intervals import mean_row

HARD_MARGIN = 1e9
"""scikit-learn's C; the authors use infinity."""
PENALTIES = (*(10.0**k for k in range(-4, 5)), HARD_MARGIN)
MIN_LABELS, MIN_LABELS_PER_CLASS = 50, 5
"""With fewer labels there is no cross-validation."""
MAX_LABELS = 10_000
"""Of more labels a random subset is used: the kernel is quadratic."""


def svm_row(train: Labelled, validation: Labelled, test: Labelled, *, key: RowKey) -> Row:
    """The row `svm` top1."""
    x, y = (torch.cat(pair).numpy() for pair in zip(train, validation, strict=True))
    if len(x) > MAX_LABELS:
        subset = np.sort(np.random.default_rng(key.seed).permutation(len(x))[:MAX_LABELS])
        x, y = x[subset], y[subset]
    predicted = _fit(x, y, seed=key.seed).predict(test.features.numpy())
    correct = torch.from_numpy(predicted == test.labels.numpy()).double()
    return mean_row(replace(key, evaluation="svm"), "top1", correct)


def _fit(x: np.ndarray, y: np.ndarray, *, seed: int) -> SVC | GridSearchCV:
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if len(x) < MIN_LABELS or len(x) // len(np.unique(y)) < MIN_LABELS_PER_CLASS or smallest < 2:
        return SVC(C=HARD_MARGIN, gamma="scale").fit(x, y)
    folds = StratifiedKFold(min(5, smallest), shuffle=True, random_state=seed)
    return GridSearchCV(SVC(gamma="scale"), {"C": list(PENALTIES)}, cv=folds).fit(x, y)
