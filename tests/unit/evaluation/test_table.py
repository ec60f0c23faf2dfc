from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_digits

from sslrun.config.errors import DataError
from sslrun.core.rows import RowKey
from sslrun.evaluation.features import Features
from sslrun.evaluation.table import ProbeResult, fits_in_memory, probe_rows

OPTIONS = {"num_classes": 10, "key": RowKey(encoder="pixels", dataset="digits", seed=0)}


@pytest.fixture(scope="module")
def splits() -> list[Features]:
    x, y = load_digits(return_X_y=True)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    parts = order[:1000], order[1000:1250], order[1250:]
    return [Features(torch.from_numpy(x).float()[i], torch.from_numpy(y)[i], i) for i in parts]


@pytest.fixture(scope="module")
def result(splits) -> ProbeResult:
    return probe_rows(*splits, **OPTIONS)


def values(result: ProbeResult) -> dict[tuple, float]:
    return {(r.evaluation, r.labels, r.metric): r.value for r in result.rows}


def test_the_table_of_digits_pixels(result):
    found = values(result)
    assert list(dict.fromkeys(r.evaluation for r in result.rows)) == ["knn1", "knn20", "linear", "few_labels"]
    assert [r.metric for r in result.rows if r.evaluation == "linear"] == [
        *("top1", "top5", "macro_f1", "balanced_accuracy", "auroc", "ece")
    ]
    assert found["knn1", "all", "top1"] > 0.97
    assert found["linear", "all", "top1"] > 0.94
    assert 0.5 < found["few_labels", 1, "top1"] < found["few_labels", 10, "top1"] < found["few_labels", 50, "top1"]
    assert all(r.low <= r.value <= r.high and r.split == "test" for r in result.rows)


def test_the_confusion_matrix_is_that_of_the_linear_row(result, splits):
    assert (result.confusion.sum(dim=1) == splits[2].labels.bincount()).all()
    accuracy = result.confusion.diag().sum().item() / len(splits[2].labels)
    assert values(result)["linear", "all", "top1"] == pytest.approx(accuracy)


def test_the_test_labels_choose_nothing(result, splits):
    train, validation, test = splits
    generator = torch.Generator().manual_seed(1)
    shuffled = replace(test, labels=test.labels[torch.randperm(len(test.labels), generator=generator)])
    blind = probe_rows(train, validation, shuffled, **OPTIONS, budgets=(1,), draws=2)
    assert blind.chosen == result.chosen
    assert torch.equal(blind.linear.weight, result.linear.weight)
    assert values(blind)["linear", "all", "top1"] < 0.2


def test_validation_labels_are_seen_by_the_choice_of_the_linear_head_alone(result, splits):
    train, validation, test = splits
    blind = replace(validation, labels=torch.zeros_like(validation.labels))
    found = probe_rows(train, blind, test, **OPTIONS)
    assert {k: v for k, v in values(found).items() if k[0] != "linear"} == {
        k: v for k, v in values(result).items() if k[0] != "linear"
    }
    assert found.chosen != result.chosen


def test_a_split_without_labels_is_an_error(splits):
    train, validation, test = splits
    with pytest.raises(DataError, match="dataset=digits: its validation split has no labels"):
        probe_rows(train, replace(validation, labels=None), test, **OPTIONS)


@pytest.mark.parametrize(("free", "expected"), [(15_999, False), (16_001, True)])
def test_a_gpu_trains_the_linear_head_if_the_features_fit_four_times(
    free: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda device: (free, 10**9))
    features = torch.zeros(100, 10)  # 4,000 bytes
    assert fits_in_memory("cuda:0", features) is expected
    assert fits_in_memory("cpu", features) and not fits_in_memory("mps", features)
