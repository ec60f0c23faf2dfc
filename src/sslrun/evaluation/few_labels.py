"""Accuracy from few labels, over several draws of which items are labelled."""

from collections.abc import Callable, Sequence

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from sslrun.config.errors import ConfigError
from sslrun.core.rows import Row
from sslrun.evaluation.intervals import bootstrap_interval, draws_interval
from sslrun.evaluation.linear import spread

Budget = int | float | str
"""Labels per class (int), a share of each class (float in (0, 1)), or `"all"`."""

BUDGETS: tuple[Budget, ...] = (1, 5, 10, 50, 0.01, 0.1)
INVERSE_PENALTY = 0.1  # scikit-learn's C; of 0.001 to 10 the best or nearly so on digits, at 64, 512 and 2,048 features


def few_label_rows(
    train: Tensor,
    train_labels: Tensor,
    test: Tensor,
    test_labels: Tensor,
    *,
    encoder: str,
    dataset: str,
    seed: int,
    split: str = "test",
    condition: str = "",
    budgets: Sequence[Budget] = BUDGETS,
    draws: int = 5,
) -> tuple[list[Row], list[str]]:
    """Rows `few_labels` top1, one a budget, and a note for each budget skipped or raised.

    The classifier is a multinomial logistic regression with a fixed penalty: nothing is chosen, so no label outside
    the budget is seen. Features are standardised with statistics of all of `train`, which need no labels.
    Draws are nested: draw d's 1 per class lies within its 5 per class. The interval carries both the variance over
    draws and that of the test items; with one draw there is none, and with `"all"` there is only one subset to draw.

    Args:
        train: (N, D) features, the pool that labelled subsets are drawn from.
        test: (M, D) features.
        seed: draw d uses seed + d.
    """
    mean, std = train.mean(dim=0), spread(train)
    pool, queries = ((train - mean) / std).cpu(), ((test - mean) / std).cpu()
    pool_labels = train_labels.cpu()
    return budget_rows(
        lambda index: _predict(pool[index], pool_labels[index], queries),
        pool_labels,
        test_labels.cpu(),
        encoder=encoder,
        dataset=dataset,
        seed=seed,
        split=split,
        condition=condition,
        budgets=budgets,
        draws=draws,
    )


def budget_rows(
    predict: Callable[[Tensor], Tensor],
    pool_labels: Tensor,
    truth: Tensor,
    *,
    encoder: str,
    dataset: str,
    seed: int,
    split: str = "test",
    condition: str = "",
    budgets: Sequence[Budget] = BUDGETS,
    draws: int = 5,
) -> tuple[list[Row], list[str]]:
    """The rows of `few_label_rows` for any classifier.

    Args:
        predict: (n,) positions of the labelled items -> (M,) predicted classes of the test items.
        pool_labels: (N,) of what subsets are drawn from.
        truth: (M,) of the test items.
    """
    correct: dict[Budget, list[Tensor]] = {}
    notes: list[str] = []
    for draw in range(draws):
        subsets, notes = nested_subsets(pool_labels, budgets=budgets, seed=seed + draw)
        fitted: dict[int, Tensor] = {}  # by size: subsets of one draw are nested, so equal sizes are equal subsets
        for budget, index in subsets.items():
            if budget == "all" and draw > 0:
                continue
            if len(index) not in fitted:
                fitted[len(index)] = (predict(index) == truth).double()
            correct.setdefault(budget, []).append(fitted[len(index)])
    rows = []
    for budget, per_draw in correct.items():
        value = torch.stack(per_draw)  # (K, M)
        low, high = _interval(value, budget=budget, seed=seed)
        rows.append(
            Row(
                encoder=encoder,
                dataset=dataset,
                split=split,
                evaluation="few_labels",
                condition=condition,
                labels=budget,
                metric="top1",
                value=value.mean().item(),
                low=low,
                high=high,
                n=len(truth),
                draws=len(value),
                seed=seed,
            )
        )
    return rows, notes


def nested_subsets(labels: Tensor, *, budgets: Sequence[Budget], seed: int) -> tuple[dict[Budget, Tensor], list[str]]:
    """Stratified subsets, each the head of one random order per class, so that a smaller one lies within a larger.

    A fraction takes that share of every class, rounded, and at least one. A number per class that the smallest class
    does not have is left out.

    Args:
        labels: (N,) int64.
        budgets: as in `Budget`; doubles count once.

    Returns:
        budget -> (n,) int64 ascending positions in `labels`, and a note for each budget left out or raised.

    Raises:
        ConfigError: a budget is none of the three kinds.
    """
    generator = torch.Generator().manual_seed(seed)
    orders = [
        members[torch.randperm(len(members), generator=generator)]
        for members in ((labels == c).nonzero().flatten() for c in torch.unique(labels))
    ]
    smallest = min(len(order) for order in orders)
    subsets: dict[Budget, Tensor] = {}
    notes = []
    for budget in dict.fromkeys(budgets):
        check_budget(budget)
        if isinstance(budget, int) and budget > smallest:
            notes.append(f"few_labels.budgets: {budget} per class skipped; the smallest class has {smallest}")
            continue
        if isinstance(budget, float) and round(budget * smallest) == 0:
            notes.append(f"few_labels.budgets: {budget:g} of the smallest class ({smallest}) is none; took one")
        subsets[budget] = torch.cat([order[: _per_class(budget, len(order))] for order in orders]).sort().values
    return subsets, notes


def check_budget(budget: Budget) -> None:
    """Raise ConfigError unless `budget` is a whole number of at least 1, a fraction in (0, 1), or `"all"`."""
    per_class = isinstance(budget, int) and not isinstance(budget, bool) and budget >= 1
    if not (per_class or (isinstance(budget, float) and 0 < budget < 1) or budget == "all"):
        raise ConfigError(f'few_labels.budgets must be whole numbers >= 1, in (0, 1), or "all", got {budget!r}')


def _per_class(budget: Budget, available: int) -> int:
    if isinstance(budget, float):
        return max(1, round(budget * available))
    return budget if isinstance(budget, int) else available


def _predict(features: Tensor, labels: Tensor, queries: Tensor) -> Tensor:
    """(M,) classes of (M, D) queries."""
    if len(torch.unique(labels)) == 1:  # scikit-learn refuses to fit it
        return labels[:1].expand(len(queries))
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000).fit(features.numpy(), labels.numpy())
    return torch.from_numpy(model.predict(queries.numpy()))


def _interval(per_draw: Tensor, *, budget: Budget, seed: int) -> tuple[float, float] | tuple[None, None]:
    if budget == "all":
        return bootstrap_interval(per_draw[0], seed=seed)
    if len(per_draw) == 1:
        return None, None
    low, high = draws_interval(per_draw)
    return max(0.0, low), min(1.0, high)
