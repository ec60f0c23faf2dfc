"""The kernel machine that series are classified by."""

import torch

from sslrun.core.rows import RowKey
from sslrun.evaluation.features import Labelled
from sslrun.evaluation.svm import svm_row


def rings(count: int, *, seed: int) -> Labelled:
    """Two classes that no line divides: a disc and the ring around it."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 2
    direction = torch.nn.functional.normalize(torch.randn(count, 2, generator=generator), dim=1)
    radius = 0.5 * torch.rand(count, generator=generator) + 2 * labels
    return Labelled(direction * radius[:, None], labels)


def test_it_divides_what_no_line_divides_from_many_labels_and_from_few() -> None:
    test = rings(100, seed=2)
    for count in (60, 20):
        row = svm_row(rings(count, seed=0), rings(10, seed=1), test, key=RowKey(encoder="e", dataset="rings", seed=0))
        assert row.evaluation == "svm" and row.value >= 0.97 and row.n == 100
