"""The classifier that representations of series are compared by: a support vector machine with a Gaussian kernel.

The protocol of TS2Vec (section 4.1 of arXiv:2106.10466, after Franceschi et al. 2019): all labels of train and
validation together, the penalty by cross-validation among them, none where they are few.
"""

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.svm import SVC

from sslrun.core.rows import Row
from sslrun.evaluation.features import Features
from sslrun.evaluation.intervals import mean_row
from sslrun.evaluation.table import labels_of

HARDEST = 1e9
"""scikit-learn's C of a machine without slack; the authors' infinity."""
PENALTIES = (*(10.0**k for k in range(-4, 5)), HARDEST)
FEWEST, FEWEST_PER_CLASS = 50, 5
"""Labels below which nothing is cross-validated."""
MOST = 10_000
"""Labels above which a kernel takes too long; of more, so many are drawn."""


def svm_row(train: Features, validation: Features, test: Features, *, encoder: str, dataset: str, seed: int) -> Row:
    """The row `svm` top1 on test."""
    known = [labels_of(f.labels, split=s, dataset=dataset) for s, f in (("train", train), ("validation", validation))]
    x, y = torch.cat([train.features, validation.features]).numpy(), torch.cat(known).numpy()
    if len(x) > MOST:
        drawn = np.sort(np.random.default_rng(seed).permutation(len(x))[:MOST])
        x, y = x[drawn], y[drawn]
    truth = labels_of(test.labels, split="test", dataset=dataset)
    correct = torch.from_numpy(_fit(x, y, seed=seed).predict(test.features.numpy()) == truth.numpy()).double()
    return mean_row(correct, encoder=encoder, dataset=dataset, split="test", evaluation="svm", metric="top1", seed=seed)


def _fit(x: np.ndarray, y: np.ndarray, *, seed: int) -> SVC | GridSearchCV:
    smallest = int(np.unique(y, return_counts=True)[1].min())
    if len(x) < FEWEST or len(x) // len(np.unique(y)) < FEWEST_PER_CLASS or smallest < 2:
        return SVC(C=HARDEST, gamma="scale").fit(x, y)
    folds = StratifiedKFold(min(5, smallest), shuffle=True, random_state=seed)
    return GridSearchCV(SVC(gamma="scale"), {"C": list(PENALTIES)}, cv=folds).fit(x, y)
