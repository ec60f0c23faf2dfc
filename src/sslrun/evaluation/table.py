"""All that `sslrun probe` says of one encoder: neighbours, the linear probe and few labels."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sslrun.config.errors import DataError
from sslrun.core.rows import Row
from sslrun.evaluation.classification import classification_rows, confusion_matrix
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import BUDGETS, Budget, few_label_rows
from sslrun.evaluation.knn import knn_rows
from sslrun.evaluation.linear import LinearProbe, fit_linear


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """What a probe of one encoder found.

    Attributes:
        rows: test numbers: `knn1`, `knn20`, `linear`, `few_labels`.
        notes: one line for each label budget skipped or raised.
        chosen: the linear head's `learning_rate`, `weight_decay` and the `validation_top1` that chose them.
        linear: the head itself; None of a baseline that has its own.
        confusion: (C, C) int64 of the linear head on test, rows = truth.
    """

    rows: list[Row]
    notes: list[str]
    chosen: dict[str, float]
    linear: LinearProbe | None
    confusion: Tensor


def probe_rows(
    train: Features,
    validation: Features,
    test: Features,
    *,
    encoder: str,
    dataset: str,
    num_classes: int,
    seed: int,
    budgets: Sequence[Budget] = BUDGETS,
    draws: int = 5,
    condition: str = "",
) -> ProbeResult:
    """Evaluate frozen features on the test split.

    `train` alone is the bank of neighbours, the linear probe's training set and the pool of labelled subsets;
    `validation` chooses the linear head's learning rate and weight decay; `test` chooses nothing.

    Raises:
        DataError: a split without labels.
        TrainingError: every head of the linear probe diverged.
    """
    train_labels = labels_of(train.labels, split="train", dataset=dataset)
    validation_labels = labels_of(validation.labels, split="validation", dataset=dataset)
    test_labels = labels_of(test.labels, split="test", dataset=dataset)
    neighbours = knn_rows(
        train.features,
        train_labels,
        test.features,
        test_labels,
        num_classes=num_classes,
        encoder=encoder,
        dataset=dataset,
        seed=seed,
        condition=condition,
    )
    probe = fit_linear(
        train.features,
        train_labels,
        validation.features,
        validation_labels,
        num_classes=num_classes,
        seed=seed,
    )
    scores = probe.scores(test.features)
    linear = classification_rows(
        scores,
        test_labels,
        encoder=encoder,
        dataset=dataset,
        split="test",
        evaluation="linear",
        seed=seed,
        logits=True,
        condition=condition,
    )
    few, notes = few_label_rows(
        train.features,
        train_labels,
        test.features,
        test_labels,
        encoder=encoder,
        dataset=dataset,
        seed=seed,
        condition=condition,
        budgets=budgets,
        draws=draws,
    )
    return ProbeResult(
        rows=[*neighbours, *linear, *few],
        notes=notes,
        chosen={
            "learning_rate": probe.learning_rate,
            "weight_decay": probe.weight_decay,
            "validation_top1": probe.validation_top1,
        },
        linear=probe,
        confusion=confusion_matrix(scores, test_labels),
    )


def labels_of(labels: Tensor | np.ndarray | None, *, split: str, dataset: str) -> Tensor:
    """(N,) int64; DataError where there are none."""
    if labels is None:
        raise DataError(f"dataset={dataset}: its {split} split has no labels, which a probe needs")
    return torch.as_tensor(labels)
