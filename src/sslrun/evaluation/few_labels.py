"""Accuracy, macro F1 and AUROC from few labels, over several draws of which items are labelled."""

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
from sslrun.evaluation.linear import spread
from sslrun.evaluation.per_item import auroc_items, macro_f1_items

BUDGETS: tuple[Labels, ...] = (1, 5, 10, 50, 0.01, 0.1, "all")
INVERSE_PENALTY = 0.1  # scikit-learn's C; of 0.001 to 10 the best or nearly so on digits, at 64, 512 and 2,048 features
MAX_ITERATIONS = 1000
WORK = 2e11
"""Items x features x classes x iterations: about a minute of one core. On the pixels of 45,000 images of CIFAR-10 it
allows 145 iterations, which do as well (53 s, 38.0 %) as 1,000 (334 s, 38.0 %)."""


def few_label_rows(
    pool: Labelled,
    test: Labelled,
    *,
    key: RowKey,
    budgets: Sequence[Labels] = BUDGETS,
    draws: int = 5,
) -> tuple[list[Row], list[str]]:
    """Rows `few_labels` top1, macro_f1 and auroc of each budget, and a note for each budget skipped or raised.

    `auroc` is omitted if the test lacks a class.

    The classifier is a multinomial logistic regression with a fixed penalty: nothing is chosen, so no label outside
    the budget is seen. Features are standardised with statistics of the whole pool, which need no labels.
    Draws are nested: draw d's 1 per class lies within its 5 per class. The interval carries both the variance over
    draws and that of the test items; one draw has none, and with `"all"` there is only one subset to draw.

    Args:
        pool: labelled subsets are drawn from it.
    """
    mean, std = pool.features.mean(dim=0), spread(pool.features)
    known, queries = ((pool.features - mean) / std).cpu(), ((test.features - mean) / std).cpu()
    labels = pool.labels.cpu()
    return budget_rows(
        lambda index: logistic(known[index], labels[index], queries),
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
        predict: (n,) positions of the labelled items -> (K,) int64 classes among them, ascending, and (M, K)
            probabilities of the test items.
        pool_labels: (N,) of the items that subsets are drawn from.
        truth: (M,) of the test items.
    """
    num_classes = int(torch.cat([pool_labels, truth]).max()) + 1
    scored: dict[Labels, list[dict[str, Tensor]]] = {}
    notes: list[str] = []
    for draw in range(draws):
        subsets, notes = nested_subsets(pool_labels, budgets=budgets, seed=seed_of_draw(key.seed, draw))
        fitted: dict[bytes, dict[str, Tensor]] = {}  # by subset: `all` and a large share may be the same
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
    """Neighbouring seeds of a probe share no draws. Fine-tuning on few labels takes the first."""
    return (1000 * seed + draw) % 2**63


def nested_subsets(labels: Tensor, *, budgets: Sequence[Labels], seed: int) -> tuple[dict[Labels, Tensor], list[str]]:
    """Stratified subsets, each the head of one random order per class, so that a smaller one lies within a larger.

    A fraction takes that share of every class, rounded, and at least one. A number per class that the smallest class
    does not have is omitted.

    Args:
        labels: (N,) int64.
        budgets: duplicates count once.

    Returns:
        budget -> (n,) int64 ascending positions in `labels`, and a note for each budget omitted or raised.

    Raises:
        ConfigError: a budget is of none of the three kinds.
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


def logistic(features: Tensor, labels: Tensor, queries: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) int64 classes and (M, K) probabilities of (M, D) queries, learnt from (n, D) features with (n,) labels."""
    classes = torch.unique(labels)
    if len(classes) == 1:  # scikit-learn refuses to fit it
        return classes, torch.ones(len(queries), 1)
    return classes, torch.from_numpy(_fit(features, labels).predict_proba(queries.numpy()))


def regression(features: Tensor, labels: Tensor, *, num_classes: int) -> tuple[Tensor, Tensor]:
    """(C, D) weights and (C,) biases, for features as they are, of the logistic regression on standardised ones.

    A class without items keeps zeros.

    Args:
        features: (N, D) float32.
        labels: (N,) int64.
    """
    weight, bias = torch.zeros(num_classes, features.shape[1]), torch.zeros(num_classes)
    classes = torch.unique(labels)
    if len(classes) == 1:
        return weight, bias
    mean, std = features.mean(dim=0), spread(features)
    model = _fit((features - mean) / std, labels)
    coefficients, intercepts = torch.from_numpy(model.coef_).float(), torch.from_numpy(model.intercept_).float()
    if len(classes) == 2:  # scikit-learn keeps only the second class's
        coefficients, intercepts = (
            torch.cat([-coefficients, coefficients]) / 2,
            torch.cat([-intercepts, intercepts]) / 2,
        )
    weight[classes] = coefficients / std
    bias[classes] = intercepts - weight[classes] @ mean
    return weight, bias


def _fit(features: Tensor, labels: Tensor) -> LogisticRegression:
    affordable = WORK / (features.numel() * len(torch.unique(labels)))
    iterations = int(min(max(affordable, MAX_ITERATIONS / 10), MAX_ITERATIONS))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return LogisticRegression(C=INVERSE_PENALTY, max_iter=iterations).fit(features.numpy(), labels.numpy())


def _per_item(classes: Tensor, known: Tensor, truth: Tensor, *, num_classes: int) -> dict[str, Tensor]:
    """(M,) values of each metric, one a test item; `known` are (M, K) probabilities of `classes`."""
    prediction = classes[known.argmax(dim=1)]
    probabilities = known.new_zeros(len(truth), num_classes)
    probabilities[:, classes] = known
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
