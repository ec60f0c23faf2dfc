"""Zero-shot rows from arithmetic."""

import pytest
import torch

from sslrun.core.rows import RowKey
from sslrun.evaluation.zeroshot import fill_templates, zeroshot_rows


def test_texts_come_template_by_template() -> None:
    assert fill_templates(["cat", "dog"], ["a {}.", "{}"]) == ["a cat.", "a dog.", "cat", "dog"]


def test_the_mean_of_templates_and_the_first_alone() -> None:
    eye = torch.eye(2)
    first, second = eye[[1, 0]], torch.nn.functional.normalize(torch.tensor([[3.0, -1.0], [-1.0, 3.0]]))
    rows = zeroshot_rows(
        eye[[0, 0, 0, 1]],
        torch.tensor([0, 0, 0, 0]),
        torch.stack([first, second, second]),
        classes=("a", "b"),
        templates=["not {}", "{}", "a {}"],
        scale=10.0,
        key=RowKey(encoder="e", dataset="d", seed=0),
    )
    top1 = {(row.encoder, row.condition): row.value for row in rows if row.metric == "top1"}
    assert top1 == {
        ("e", ""): pytest.approx(0.75),
        ("chance", ""): 0.5,
        ("e", "template=not {}"): pytest.approx(0.25),
        ("e", "class=a"): pytest.approx(0.75),
    }
