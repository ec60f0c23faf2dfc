"""Accuracy, macro F1 and AUROC with few labels, averaged over random labelled subsets."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sslrun.config.checks import check_budget
from sslrun.core.rows import Labels, Row, RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.intervals import bootstrap_interval, draws_interval
from sslrun.evaluation.linear import feature_std
from sslrun.evaluation.per_item import auroc_items, macro_f1_items

BUDGETS: tuple[Labels, ...] = (1, 5, 10, 50, 0.01, 0.1, "all")
INVERSE_PENALTY = 0.1  # scikit-learn's C; of 0.001 to 10 (nearly) the best on digits, with 64, 512 and 2,048 features
MAX_ITERATIONS = 1000
MAX_WORK = 2e11
"""Items x features x classes x iterations: about a minute on one core. For the pixels of 45,000 CIFAR-10 images it
allows 145 iterations, as accurate (53 s, 38.0 %) as 1,000 (334 s, 38.0 %)."""


def few_label_rows(
    pool: Labelled,
    test: Labelled,
    *,
    key: RowKey,
    budgets: Sequence[Labels] = BUDGETS,
    draws: int = 5,
) -> tuple[list[Row], list[str]]:
    """Rows `few_labels` top1, macro_f1 and auroc of each budget, and a note for each budget skipped or raised.

    `auroc` is omitted if a class is absent from the test set.

    The classifier is a multinomial logistic regression with a fixed penalty, so no label outside the budget is used for
    model selection. Features are standardised with statistics of the whole pool, which need no labels. Within a draw
    subsets are nested: 1 per class is part of 5 per class. The interval combines the variances over draws and over test
    items; a single draw has no interval, and `"all"` has only one subset.

    Args:
        pool: labelled subsets are sampled from it.
    """
    mean, std = pool.features.mean(dim=0), feature_std(pool.features)
    train, queries = ((pool.features - mean) / std).cpu(), ((test.features - mean) / std).cpu()
    labels = pool.labels.cpu()
    return budget_rows(
        lambda index: predict_logistic(train[index], labels[index], queries),
        labels,
        test.labels.cpu(),
        key=key,
        budgets=budgets,
        draws=draws,
    )


def budget_rows(
    predict: Callable[[Tensor], tuple[Tensor, Tensor]],
    pool_labels: Tensor,
    truth: Tensor,
    *,
    key: RowKey,
    budgets: Sequence[Labels] = BUDGETS,
    draws: int = 5,
) -> tuple[list[Row], list[str]]:
    """The rows of `few_label_rows` for any classifier.

    Args:
        predict: (n,) positions of the labelled items -> (K,) int64 ascending classes among them, and (M, K)
            probabilities of the test items.
        pool_labels: (N,) labels of the items to sample subsets from.
        truth: (M,) labels of the test items.
    """
    num_classes = int(torch.cat([pool_labels, truth]).max()) + 1
    scored: dict[Labels, list[dict[str, Tensor]]] = {}
    notes: list[str] = []
    for draw in range(draws):
        subsets, notes = nested_subsets(pool_labels, budgets=budgets, seed=seed_of_draw(key.seed, draw))
        fitted: dict[bytes, dict[str, Tensor]] = {}  # by subset: `all` and a large fraction may be the same
        for budget, index in subsets.items():
            if budget == "all" and draw > 0:
                continue
            subset = index.numpy().tobytes()
            if subset not in fitted:
                fitted[subset] = _per_item(*predict(index), truth, num_classes=num_classes)
            scored.setdefault(budget, []).append(fitted[subset])
    rows = []
    for budget, per_draw in scored.items():
        for metric in per_draw[0]:
            values = torch.stack([of_draw[metric] for of_draw in per_draw])  # (K, M)
            interval = _interval(values, budget=budget, seed=key.seed)
            of_budget = replace(key, evaluation="few_labels", labels=budget)
            rows.append(of_budget.row(metric, values.mean().item(), n=len(truth), interval=interval, draws=len(values)))
    return rows, notes


def seed_of_draw(seed: int, draw: int) -> int:
    """Seed of a draw; consecutive seeds of a probe share none. Fine-tuning on few labels takes draw 0."""
    return (1000 * seed + draw) % 2**63


def nested_subsets(labels: Tensor, *, budgets: Sequence[Labels], seed: int) -> tuple[dict[Labels, Tensor], list[str]]:
    """Stratified random subsets; smaller ones are part of larger ones.

    A fraction takes that share of every class, rounded, and at least one item. A number per class that exceeds the
    smallest class is omitted.

    Args:
        labels: (N,) int64.
        budgets: duplicates are dropped.

    Returns:
        budget -> (n,) int64 ascending positions in `labels`, and a note for each budget omitted or raised.

    Raises:
        ConfigError: a budget is neither a count, a fraction nor "all".
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [
        members[torch.randperm(len(members), generator=generator)]
        for members in ((labels == c).nonzero().flatten() for c in torch.unique(labels))
    ]
    smallest = min(len(order) for order in orders)
    subsets: dict[Labels, Tensor] = {}
    notes = []
    for budget in dict.fromkeys(budgets):
        check_budget(budget)
        if isinstance(budget, int) and budget > smallest:
            notes.append(f"labels={budget} per class left out: the smallest class has {smallest}")
            continue
        if isinstance(budget, float) and round(budget * smallest) == 0:
            notes.append(f"labels={budget:g} of the smallest class ({smallest}) rounds to 0; took one")
        subsets[budget] = torch.cat([order[: _per_class(budget, len(order))] for order in orders]).sort().values
    return subsets, notes


def _per_class(budget: Labels, available: int) -> int:
    if isinstance(budget, float):
        return max(1, round(budget * available))
    return budget if isinstance(budget, int) else available


def predict_logistic(features: Tensor, labels: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """Fit on (n, D) and (n,) labels; (K,) int64 classes and their (M, K) probabilities for (M, D) queries."""
    classes = torch.unique(labels)
    if len(classes) == 1:  # scikit-learn refuses to fit it
        return classes, torch.ones(len(queries), 1)
    return classes, torch.from_numpy(_fit(features, labels).predict_proba(queries.numpy()))


def fit_logistic_head(features: Tensor, labels: Tensor, *, num_classes: int) -> tuple[Tensor, Tensor]:
    """(C, D) weights and (C,) biases for raw features of a logistic regression fitted on standardised ones.

    Zero for a class without items.

    Args:
        features: (N, D) float32.
        labels: (N,) int64.
    """
    weight, bias = torch.zeros(num_classes, features.shape[1]), torch.zeros(num_classes)
    classes = torch.unique(labels)
    if len(classes) == 1:
        return weight, bias
    mean, std = features.mean(dim=0), feature_std(features)
    model = _fit((features - mean) / std, labels)
    coefficients, intercepts = torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float()
    if len(classes) == 2:  # scikit-learn has only the second class
        coefficients, intercepts = (
            torch.cat([-coefficients, coefficients]) / 2,
            torch.cat([-intercepts, intercepts]) / 2,
        )
    weight[classes] = coefficients / std
    bias[classes] = intercepts - weight[classes] @ mean
    return weight, bias


def _fit(features: Tensor, labels: Tensor) -> LogisticRegression:
    affordable = MAX_WORK / (features.numel() * len(torch.unique(labels)))
    iterations = int(min(max(affordable, MAX_ITERATIONS / 10), MAX_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=INVERSE_PENALTY, max_iter=iterations).fit(features.numpy(), labels.numpy())


def _per_item(classes: Tensor, class_probabilities: Tensor, truth: Tensor, *, num_classes: int) -> dict[str, Tensor]:
    """(M,) per-item values of each metric, from (M, K) probabilities of `classes`."""
    prediction = classes[class_probabilities.argmax(dim=1)]
    probabilities = class_probabilities.new_zeros(len(truth), num_classes)
    probabilities[:, classes] = class_probabilities
    values = {
        "top1": (prediction == truth).double(),
        "macro_f1": macro_f1_items(prediction, truth, num_classes=num_classes),
    }
    area = auroc_items(probabilities, truth)
    return values if area is None else values | {"auroc": area}


def _interval(per_draw: Tensor, *, budget: Labels, seed: int) -> tuple[float, float] | tuple[None, None]:
    if budget == "all":
        return bootstrap_interval(per_draw[0], seed=seed)
    if len(per_draw) == 1:
        return None, None
    low, high = draws_interval(per_draw)
    return max(0.0, low), min(1.0, high)
