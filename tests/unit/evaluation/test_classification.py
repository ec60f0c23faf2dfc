from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from sklearn.metrics import average_precision_score
from torchmetrics.functional.classification import multiclass_calibration_error

from sslrun.core.rows import RowKey
from sslrun.evaluation.classification import (
    average_precision,
    calibration_error,
    classification_rows,
    confusion_matrix,
    macro_auroc,
)

KEY = RowKey(encoder="byol", dataset="digits", evaluation="linear", seed=0)


def noisy(n: int = 600, num_classes: int = 7) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    labels = torch.randint(num_classes, (n,), generator=g)
    return torch.randn(n, num_classes, generator=g) + 1.5 * torch.eye(num_classes)[labels], labels


def by_metric(scores, labels, *, key=KEY, **options) -> dict:
    return {r.metric: r for r in classification_rows(scores, labels, key=key, logits=True, **options)}


def test_values_are_those_of_sklearn_and_torchmetrics():
    logits, labels = noisy()
    rows, prediction, probabilities = by_metric(logits, labels), logits.argmax(dim=1), logits.softmax(dim=1)
    assert list(rows) == ["top1", "top5", "macro_f1", "balanced_accuracy", "auroc", "ece"]
    assert rows["top1"].value == pytest.approx(sk.accuracy_score(labels, prediction))
    assert rows["top5"].value == pytest.approx(sk.top_k_accuracy_score(labels, logits, k=5))
    assert rows["macro_f1"].value == pytest.approx(sk.f1_score(labels, prediction, average="macro"))
    assert rows["balanced_accuracy"].value == pytest.approx(sk.balanced_accuracy_score(labels, prediction))
    auroc = sk.roc_auc_score(labels, probabilities.double(), multi_class="ovr", labels=range(7))
    assert rows["auroc"].value == pytest.approx(auroc, abs=1e-6)
    ece = multiclass_calibration_error(probabilities, labels, num_classes=7, n_bins=15, norm="l1").item()
    assert rows["ece"].value == pytest.approx(ece, abs=1e-6)


def test_intervals_hold_the_value_and_narrow_with_more_items():
    few, many = (by_metric(*noisy(n)) for n in (300, 4800))
    for metric, row in many.items():
        assert row.low < row.value < row.high
        assert row.high - row.low < 0.5 * (few[metric].high - few[metric].low)


def test_macro_f1_interval_is_that_of_resampled_items():
    logits, labels = noisy(200, 3)
    g, prediction = torch.Generator().manual_seed(1), logits.argmax(dim=1)
    resamples = torch.randint(200, (500, 200), generator=g)
    f1 = [sk.f1_score(labels[i], prediction[i], average="macro") for i in resamples]
    row = by_metric(logits, labels)["macro_f1"]
    assert (row.low, row.high) == pytest.approx(np.quantile(f1, [0.025, 0.975]).tolist(), abs=0.015)


def test_auroc_counts_ties_as_half_and_weights_as_copies():
    probabilities = torch.tensor([[0.2, 0.8], [0.5, 0.5], [0.5, 0.5], [0.7, 0.3]])
    labels = torch.tensor([1, 1, 0, 0])  # positives .8, .5 against .5, .3: 1 + 1 + 1/2 + 1 of 4
    once = torch.ones(1, 4, dtype=torch.float64)
    assert macro_auroc(probabilities, labels, weights=once).item() == pytest.approx(3.5 / 4)
    weights = torch.tensor([[0.0, 2.0, 1.0, 1.0]])  # (.5, .5) against (.5, .3): 2 x (1/2 + 1) of 4
    assert macro_auroc(probabilities, labels, weights=weights.double()).item() == pytest.approx(3 / 4)


def test_calibration_error_by_hand():
    probabilities = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 1])  # bins: |0.5 - 0.9| and |1 - 0.6|, half of the items each
    once = torch.ones(1, 4, dtype=torch.float64)
    assert calibration_error(probabilities, labels, weights=once).item() == pytest.approx(0.4)


def test_a_class_absent_from_the_test_leaves_auroc_out():
    logits, labels = noisy()
    kept = labels != 3
    assert "auroc" not in by_metric(logits[kept], labels[kept])


def test_five_classes_have_no_top5():
    assert "top5" not in by_metric(*noisy(100, 5))


def test_probabilities_are_taken_as_they_are():
    logits, labels = noisy()
    rows = classification_rows(logits.softmax(dim=1), labels, key=KEY, logits=False)
    expected = classification_rows(logits, labels, key=KEY, logits=True)
    assert [r.value for r in rows] == pytest.approx([r.value for r in expected], abs=1e-6)


def test_rows_carry_what_they_are_of():
    row = by_metric(*noisy(), key=replace(KEY, labels=10, condition="blur"))["top1"]
    assert (row.encoder, row.evaluation, row.labels, row.condition, row.n) == ("byol", "linear", 10, "blur", 600)


def test_confusion_matrix_rows_are_the_truth():
    scores = torch.eye(3)[torch.tensor([0, 1, 1, 2])]
    matrix = confusion_matrix(scores, torch.tensor([0, 0, 0, 2]))
    assert matrix.tolist() == [[1, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_a_perfect_test_leaves_the_exact_bound_of_the_rarest_class():
    labels = torch.tensor([0] * 30 + [1] * 10 + [2] * 20)
    found = by_metric(10.0 * torch.eye(3)[labels], labels)
    assert found["top1"].low == pytest.approx(0.025 ** (1 / 60))
    for metric in ("macro_f1", "balanced_accuracy", "auroc"):
        assert (found[metric].low, found[metric].high) == pytest.approx((0.025 ** (1 / 10), 1.0))


def test_average_precision_is_that_of_scikit_learn_on_the_items_taken() -> None:
    random = np.random.default_rng(0)
    scores, truth = random.integers(6, size=40) / 5, random.random(40) < 0.3  # many ties
    counts = random.integers(3, size=(4, 40))
    counts[3, truth] = 0
    found = average_precision(
        torch.from_numpy(scores), torch.from_numpy(truth), weights=torch.from_numpy(counts).double()
    )
    for value, count in zip(found[:3], counts, strict=False):
        expected = average_precision_score(np.repeat(truth, count), np.repeat(scores, count))
        assert value.item() == pytest.approx(expected)
    assert found[3].isnan()


def test_average_precision_by_hand() -> None:
    scores, positive = torch.tensor([0.9, 0.8, 0.8, 0.1]), torch.tensor([True, False, True, True])
    found = average_precision(scores, positive, weights=torch.ones(1, 4, dtype=torch.float64))
    assert found.item() == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_recalls_of_all_or_nothing_leave_their_exact_bounds():
    """One class is always predicted: every resample has the same balanced accuracy."""
    labels = torch.tensor([0] * 40 + [1] * 40 + [2] * 40)
    scores = torch.tensor([[1.0, 0.0, 0.0]]).expand(120, 3)
    row = by_metric(scores, labels)["balanced_accuracy"]
    bound = 0.025 ** (1 / 40)
    assert row.value == pytest.approx(1 / 3)
    assert (row.low, row.high) == pytest.approx((bound / 3, (1 + 2 * (1 - bound)) / 3))
