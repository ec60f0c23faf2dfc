"""Leave one group out, from features whose answer is known."""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from sslrun.core.rows import RowKey
from sslrun.evaluation import groups as module
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import predict_logistic
from sslrun.evaluation.groups import group_rows, mean_interval

LABELS = torch.arange(24) % 2


def rows_of(features: torch.Tensor, groups: np.ndarray | None) -> list[Any]:
    """Train holds the first 16 items, test the others in reversed order."""
    at = {"train": torch.arange(16), "validation": torch.arange(0), "test": torch.arange(16, 24)}
    data = SimpleNamespace(
        name="made",
        size=lambda split: len(at[split]),
        groups=lambda split: None if groups is None else groups[at[split].numpy()],
    )
    splits = {}
    for split, positions in at.items():
        index = torch.arange(len(positions)).flip(0)
        splits[split] = Features(features[positions][index], LABELS[positions][index], index)
    return group_rows(splits, data, key=RowKey(encoder="e", dataset=data.name, seed=0))  # type: ignore[arg-type]


def test_a_class_that_all_groups_show_alike_is_known_in_each() -> None:
    rows = rows_of(LABELS[:, None] + torch.zeros(24, 3), np.array(list("abc") * 8))
    assert [row.condition for row in rows] == ["", "group=a", "group=b", "group=c"]
    assert [row.value for row in rows] == [1.0] * 4
    assert [row.n for row in rows] == [24, 8, 8, 8] and rows[0].draws == 3


def test_a_group_that_shows_classes_the_other_way_round_is_wrong_where_it_is_held_out() -> None:
    groups = np.array(["ab"[i // 2 % 2] if i < 12 else "c" for i in range(24)])
    sign = torch.from_numpy(np.where(groups == "c", -1.0, 1.0)).float()
    rows = {row.condition: row.value for row in rows_of((sign * (2 * LABELS - 1))[:, None], groups)}
    assert rows["group=c"] == 0.0


def test_features_are_standardised_without_the_group_held_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Group b lies far off; whichever is held out, the others have mean 0 and deviation 1."""
    learnt: list[torch.Tensor] = []

    def noted(features: torch.Tensor, *rest: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        learnt.append(features)
        return predict_logistic(features, *rest)

    monkeypatch.setattr(module, "predict_logistic", noted)
    groups = np.array(list("abc") * 8)
    features = torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    features[torch.from_numpy(groups == "b")] += 100
    rows_of(features, groups)
    assert [len(x) for x in learnt] == [16] * 3
    for x in learnt:
        torch.testing.assert_close(x.mean(dim=0), torch.zeros(3), rtol=0, atol=1e-4)
        torch.testing.assert_close(x.std(dim=0, correction=0), torch.ones(3))


def test_without_groups_there_are_no_rows() -> None:
    assert rows_of(torch.randn(24, 3), None) == []
    assert rows_of(torch.randn(24, 3), np.array(["a"] * 24)) == []


def test_the_interval_of_the_mean_is_students() -> None:
    low, high = mean_interval([0.4, 0.5, 0.6])
    half = 4.302653 * 0.1 / math.sqrt(3)  # t of 2 degrees of freedom
    assert (low, high) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-5)


def test_where_all_are_right_the_interval_is_exact() -> None:
    assert mean_interval([1.0] * 4) == pytest.approx((0.025**0.25, 1.0))
