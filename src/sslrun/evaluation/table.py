"""Classification from frozen features: kNN, linear probe and few labels."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from sslrun.core.rows import Labels, Row, RowKey
from sslrun.evaluation.classification import classification_rows, confusion_matrix
from sslrun.evaluation.features import Features
from sslrun.evaluation.few_labels import BUDGETS, few_label_rows
from sslrun.evaluation.knn import knn_rows
from sslrun.evaluation.linear import LinearProbe, fit_linear


@dataclass(frozen=True, kw_only=True)
class ProbeResult:
    """Classification results of one encoder.

    Attributes:
        rows: test results `knn1`, `knn20`, `linear`, `few_labels`.
        notes: one line for each label budget skipped or raised.
        chosen: the linear head's `learning_rate` and `weight_decay`, and the `validation_top1` they were selected by.
        linear: the head; None for a baseline with its own classifier.
        confusion: (C, C) int64 of the linear head on test; rows are labels.
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
    num_classes: int,
    key: RowKey,
    budgets: Sequence[Labels] = BUDGETS,
    draws: int = 5,
    device: str = "cpu",
) -> ProbeResult:
    """Evaluate frozen features on the test split.

    `train` is the kNN bank, the linear probe's training set and the pool of labelled subsets; `validation` only selects
    the linear head's learning rate and weight decay.

    Args:
        device: for training the linear head, if the features fit in its memory; otherwise the CPU is used.

    Raises:
        DataError: a split has no labels.
        TrainingError: every head of the linear probe diverged.
    """
    bank = train.labelled(split="train", dataset=key.dataset)
    held_out = validation.labelled(split="validation", dataset=key.dataset)
    queries = test.labelled(split="test", dataset=key.dataset)
    device = device if fits_in_memory(device, bank.features) else "cpu"
    probe = fit_linear(bank.to(device), held_out.to(device), num_classes=num_classes, seed=key.seed).to("cpu")
    scores = probe.scores(queries.features)
    linear = classification_rows(scores, queries.labels, key=replace(key, evaluation="linear"), logits=True)
    few, notes = few_label_rows(bank, queries, key=key, budgets=budgets, draws=draws)
    return ProbeResult(
        rows=[*knn_rows(bank, queries, num_classes=num_classes, key=key), *linear, *few],
        notes=notes,
        chosen={
            "learning_rate": probe.learning_rate,
            "weight_decay": probe.weight_decay,
            "validation_top1": probe.validation_top1,
        },
        linear=probe,
        confusion=confusion_matrix(scores, queries.labels),
    )


def fits_in_memory(device: str, features: Tensor) -> bool:
    """Whether a device can hold several copies of the features: raw, standardised, and in batches."""
    if torch.device(device).type != "cuda":
        return device == "cpu"
    free, _ = torch.cuda.mem_get_info(device)
    return 4 * features.nbytes < free
