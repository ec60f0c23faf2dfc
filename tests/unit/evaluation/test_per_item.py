import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score
from torch import Tensor

from sslrun.evaluation.per_item import auroc_items, macro_f1_items


def scores(n: int = 300, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(n, 3) probabilities, coarse enough to have ties, and labels that they follow a little."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=generator)
    logits = torch.randn(n, 3, generator=generator) + 0.8 * torch.nn.functional.one_hot(labels, 3)
    return (logits.softmax(dim=1) * 20).round() / 20, labels


def test_means_are_the_statistics() -> None:
    probabilities, labels = scores()
    prediction = probabilities.argmax(dim=1)
    f1 = macro_f1_items(prediction, labels, num_classes=3).mean().item()
    assert f1 == pytest.approx(f1_score(labels, prediction, average="macro"), abs=1e-9)
    area = auroc_items(probabilities, labels)
    areas = [roc_auc_score(labels == c, probabilities[:, c]) for c in range(3)]
    assert area is not None and area.mean().item() == pytest.approx(np.mean(areas), abs=1e-9)


def test_a_class_that_occurs_nowhere_does_not_count() -> None:
    labels = torch.tensor([0, 0, 1, 1])
    prediction = torch.tensor([0, 1, 1, 1])
    # F1 of 0: 2 / 3; of 1: 4 / 5
    assert macro_f1_items(prediction, labels, num_classes=5).mean().item() == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert auroc_items(torch.full((4, 3), 1 / 3), labels) is None


def test_spread_is_that_of_resamples() -> None:
    probabilities, labels = scores()
    prediction = probabilities.argmax(dim=1)
    draws = np.random.default_rng(0).integers(len(labels), size=(1000, len(labels)))
    for values, statistic in (
        (macro_f1_items(prediction, labels, num_classes=3),
         lambda i: macro_f1_items(prediction[i], labels[i], num_classes=3)),
        (auroc_items(probabilities, labels), lambda i: auroc_items(probabilities[i], labels[i])),
    ):  # fmt: skip
        assert values is not None
        resampled = np.std([statistic(i).mean().item() for i in draws])
        assert values.std().item() / len(labels) ** 0.5 == pytest.approx(resampled, rel=0.1)
