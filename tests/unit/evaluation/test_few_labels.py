from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.model_selection import train_test_split

from sslrun.config.compose import compose
from sslrun.config.errors import ConfigError
from sslrun.core.rows import Row, RowKey
from sslrun.evaluation import few_labels
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.few_labels import (
    BUDGETS,
    few_label_rows,
    fit_logistic_head,
    nested_subsets,
    predict_logistic,
    seed_of_draw,
)
from sslrun.evaluation.linear import feature_std

KEY = RowKey(encoder="pixels", dataset="digits", seed=0)
LABELS = torch.tensor([0] * 100 + [1] * 300 + [2] * 50)[torch.randperm(450, generator=torch.Generator().manual_seed(0))]


def per_class(index: torch.Tensor) -> list[int]:
    return LABELS[index].bincount(minlength=3).tolist()


def top1(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row.metric == "top1"]


def sides(digits: tuple[torch.Tensor, ...]) -> tuple[Labelled, Labelled]:
    x, y, test_x, test_y = digits
    return Labelled(x, y), Labelled(test_x, test_y)


@pytest.fixture(scope="module")
def digits() -> tuple[torch.Tensor, ...]:
    """Train pixels and labels, test pixels and labels: 70 and 30 %."""
    x, y = load_digits(return_X_y=True)
    x, test_x, y, test_y = train_test_split(x.astype(np.float32), y, test_size=0.3, random_state=0, stratify=y)
    return tuple(torch.from_numpy(a) for a in (x, y, test_x, test_y))


def test_subsets_are_stratified_and_nested():
    subsets, notes = nested_subsets(LABELS, budgets=(1, 5, 0.1, 50, "all"), seed=0)
    assert notes == []
    counts = {b: per_class(i) for b, i in subsets.items()}
    assert counts == {1: [1] * 3, 5: [5] * 3, 0.1: [10, 30, 5], 50: [50] * 3, "all": [100, 300, 50]}
    assert all(len(i.unique()) == len(i) for i in subsets.values())
    for smaller, larger in ((1, 5), (5, 0.1), (0.1, 50), (50, "all")):
        assert set(subsets[smaller].tolist()) <= set(subsets[larger].tolist())


def test_a_subset_does_not_depend_on_the_other_budgets():
    alone, _ = nested_subsets(LABELS, budgets=(5,), seed=3)
    among, _ = nested_subsets(LABELS, budgets=(0.1, 1, 5, 10), seed=3)
    other, _ = nested_subsets(LABELS, budgets=(5,), seed=4)
    assert torch.equal(alone[5], among[5])
    assert not torch.equal(alone[5], other[5])


def test_a_fraction_gives_every_class_one_and_says_so():
    subsets, notes = nested_subsets(LABELS, budgets=(0.001, 0.01, 0.02), seed=0)
    assert [per_class(i) for i in subsets.values()] == [[1, 1, 1], [1, 3, 1], [2, 6, 1]]
    assert notes == [f"labels={budget} of the smallest class (50) rounds to 0; took one" for budget in (0.001, 0.01)]


def test_a_budget_beyond_the_smallest_class_is_skipped_with_a_note():
    subsets, notes = nested_subsets(LABELS, budgets=(50, 51), seed=0)
    assert list(subsets) == [50]
    assert notes == ["labels=51 per class left out: the smallest class has 50"]


@pytest.mark.parametrize("budget", [0, -1, 1.0, 0.0, 1.5, True, "some"])
def test_a_budget_of_no_kind_is_an_error(budget):
    with pytest.raises(ConfigError, match="labels must be 'all', a whole number per class from 1, or"):
        nested_subsets(LABELS, budgets=(budget,), seed=0)


def test_digits_reach_the_published_accuracies(digits):
    found, notes = few_label_rows(*sides(digits), key=KEY, budgets=(1, 5, 10, 50), draws=5)
    assert notes == []
    rows = top1(found)
    assert [r.labels for r in rows] == [1, 5, 10, 50]
    # shared/data/README.md: pixels .558 .827 .888 .954, from other draws
    for row, published, tolerance in zip(rows, (0.558, 0.827, 0.888, 0.954), (0.08, 0.04, 0.03, 0.02), strict=True):
        assert row.value == pytest.approx(published, abs=tolerance)
        assert row.low < row.value < row.high
        assert (row.evaluation, row.metric, row.draws, row.n) == ("few_labels", "top1", 5, 540)
    assert rows[0].high - rows[0].low > rows[-1].high - rows[-1].low


def test_budgets_that_coincide_give_equal_numbers(digits):
    x, y, test_x, test_y = digits
    small, labels = nested_subsets(y, budgets=(20,), seed=0)[0][20], y
    x, y = x[small], labels[small]  # 20 per class: 0.1 of them are 2
    rows = top1(few_label_rows(Labelled(x, y), Labelled(test_x, test_y), key=KEY, budgets=(2, 0.1, 2), draws=2)[0])
    assert [r.labels for r in rows] == [2, 0.1]
    assert rows[0].value == rows[1].value


def test_all_labels_are_one_draw_with_an_interval_over_items(digits):
    rows, _ = few_label_rows(*sides(digits), key=KEY, budgets=("all",), draws=5)
    assert [(row.metric, row.draws) for row in rows] == [("top1", 1), ("macro_f1", 1), ("auroc", 1)]
    assert all(0 < row.high - row.low < 0.05 for row in rows)


def test_the_default_curve_ends_with_all_labels(digits):
    config: Any = compose("probe", ["encoder=random", "backbone=small_cnn", "dataset=digits"])
    assert tuple(config.labels) == BUDGETS == (1, 5, 10, 50, 0.01, 0.1, "all")
    rows = top1(few_label_rows(*sides(digits), key=KEY, draws=2)[0])
    assert [row.labels for row in rows] == [1, 5, 10, 50, 0.01, 0.1, "all"]
    assert rows[-1].value > 0.95


def test_a_large_regression_stops_early_and_says_nothing(digits, monkeypatch: pytest.MonkeyPatch):
    whole = top1(few_label_rows(*sides(digits), key=KEY, budgets=("all",))[0])
    asked = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(
        LogisticRegression, "fit", lambda self, *sides: asked.append(self.max_iter) or fit(self, *sides)
    )
    monkeypatch.setattr(few_labels, "MAX_ITERATIONS", 100)
    for work, iterations in ((1e12, 100), (20 * 1257 * 64 * 10, 20), (1.0, 10)):
        monkeypatch.setattr(few_labels, "MAX_WORK", work)
        (row,) = top1(few_label_rows(*sides(digits), key=KEY, budgets=("all",))[0])
        assert asked[-1] == iterations and abs(row.value - whole[0].value) < 0.03


def test_one_draw_has_no_interval(digits):
    rows, _ = few_label_rows(*sides(digits), key=KEY, budgets=(1,), draws=1)
    assert {(row.low, row.high) for row in rows} == {(None, None)}


def test_f1_and_auroc_stand_beside_accuracy(digits):
    x, y, test_x, test_y = digits
    found, _ = few_label_rows(*sides(digits), key=KEY, budgets=(5,), draws=2)
    mean, std = x.mean(dim=0), feature_std(x)
    expected = {"macro_f1": 0.0, "auroc": 0.0}
    for seed in (0, 1):
        known = nested_subsets(y, budgets=(5,), seed=seed)[0][5]
        model = LogisticRegression(C=0.1, max_iter=1000).fit((x[known] - mean) / std, y[known])
        queries = (test_x - mean) / std
        expected["macro_f1"] += f1_score(test_y, model.predict(queries), average="macro") / 2
        expected["auroc"] += roc_auc_score(test_y, model.predict_proba(queries), multi_class="ovr") / 2
    values = {row.metric: row.value for row in found}
    assert values["macro_f1"] == pytest.approx(expected["macro_f1"], abs=1e-6)
    pair = 1 / (50 * 490 * 10 * 2)  # processors round differently which of two nearly equal scores is the larger
    assert values["auroc"] == pytest.approx(expected["auroc"], abs=2 * pair)
    assert all(row.low < row.value < row.high for row in found)


def test_one_known_class_is_guessed_for_all_and_auroc_is_a_coin(digits):
    x, y, test_x, test_y = digits
    only = y == 3
    found, _ = few_label_rows(Labelled(x[only], y[only]), Labelled(test_x, test_y), key=KEY, budgets=(2,), draws=1)
    values = {row.metric: row.value for row in found}
    assert values["top1"] == pytest.approx((test_y == 3).double().mean().item()) and values["auroc"] == 0.5


def test_scale_of_a_feature_does_not_matter(digits):
    x, y, test_x, test_y = digits
    scale = torch.logspace(-2, 2, 64)
    [plain] = top1(few_label_rows(Labelled(x, y), Labelled(test_x, test_y), key=KEY, budgets=(5,), draws=2)[0])
    scaled_sides = Labelled(x * scale, y), Labelled(test_x * scale, test_y)
    [scaled] = top1(few_label_rows(*scaled_sides, key=KEY, budgets=(5,), draws=2)[0])
    assert scaled.value == pytest.approx(plain.value, abs=0.003)


@pytest.mark.parametrize("classes", [2, 10])
def test_a_head_for_raw_features_says_what_the_regression_on_standardised_ones_says(digits, classes: int):
    train, labels, test, _ = digits
    train, labels = train[labels < classes], labels[labels < classes]
    weight, bias = fit_logistic_head(train, labels, num_classes=classes)
    mean, std = train.mean(dim=0), feature_std(train)
    _, expected = predict_logistic((train - mean) / std, labels, (test - mean) / std)
    torch.testing.assert_close((test @ weight.T + bias).softmax(dim=1), expected, atol=1e-4, rtol=0)


def test_subsets_of_one_size_that_differ_have_their_own_numbers(digits):
    """Of classes of 90 and 10 items, 10 per class and 20 % are both 20 items."""
    x, y, test_x, test_y = digits
    kept = torch.cat([(y == 3).nonzero().flatten()[:90], (y == 8).nonzero().flatten()[:10]])
    asked = (test_y == 3) | (test_y == 8)
    pool, queries = Labelled(x[kept], y[kept]), Labelled(test_x[asked], test_y[asked])
    both = {r.labels: r for r in top1(few_label_rows(pool, queries, key=KEY, budgets=(10, 0.2), draws=2)[0])}
    for budget in (10, 0.2):
        (alone,) = top1(few_label_rows(pool, queries, key=KEY, budgets=(budget,), draws=2)[0])
        assert both[budget] == alone
    assert both[10].value != both[0.2].value


def test_neighbouring_seeds_share_no_draws() -> None:
    drawn = [seed_of_draw(seed, draw) for seed in range(4) for draw in range(5)]
    assert len(set(drawn)) == len(drawn)
