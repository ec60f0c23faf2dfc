"""`sslrun finetune`: all weights of an encoder, on all labels or a few."""

import dataclasses
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from safetensors.torch import save_file

from sslrun.commands.encoders import find_subject
from sslrun.commands.probe import write_embedding
from sslrun.commands.session import Session
from sslrun.commands.train import train
from sslrun.config.command import FinetuneConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.loader import LoaderConfig
from sslrun.config.search_path import augmentation_named
from sslrun.config.trainer import TrainerConfig
from sslrun.core.atomic import replacing, write_json
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.data.build import build_data
from sslrun.data.subset import Subset
from sslrun.evaluation.classification import classification_rows, confusion_matrix
from sslrun.evaluation.few_labels import nested_subsets
from sslrun.evaluation.plane import plane
from sslrun.methods.classifier import Classifier
from sslrun.monitors.validation import Validation, predict
from sslrun.report.html import write_report
from sslrun.report.tables import results_table
from sslrun.runs.encoders import Source
from sslrun.training.checkpoints import BEST
from sslrun.training.plan import Plan, describe_plan, make_plan

HELD_OUT = 0.2
"""Share of a few-label subset that is held out for early stopping."""
MIN_PER_CLASS = 5
"""Fewer labels than these per class are all trained on, for the whole length of the run."""


@dataclasses.dataclass(frozen=True)
class Budget:
    """Which items are trained and validated on.

    Attributes:
        train: positions in the train split.
        split, validation: held-out positions and the split that they count in; the train split itself for few labels,
            because a full validation set would be hidden labels.
    """

    train: list[int]
    split: str
    validation: list[int]


def run(config: FinetuneConfig) -> float | None:
    """Train, or continue; leaves results.json, report.html, encoder/ and classifier.safetensors in the run folder.

    Returns:
        Test top-1.
    """
    session = Session("finetune", config)
    if session.tell_finished():
        return session.value
    pl.seed_everything(config.seed, verbose=False)
    subject = find_subject(config.encoder, config.backbone, config.dataset)
    if subject.ref.source is Source.pixels:
        raise ConfigError("encoder=pixels has no weights to fine-tune; `sslrun probe encoder=pixels` measures it")
    data = build_data(subject.dataset)
    if data.classes is None:
        raise DataError(f"dataset={data.name} has no labels; finetune needs a labelled dataset: dataset=…")
    budget = choose_labels(config.labels, data, seed=config.seed)
    policy = config.augmentation or augmentation_named(data.mild)
    dataset = Subset(data.training(policy, batch_type=data.single, seed=config.seed), budget.train)
    encoder = subject.build(data.encoder_inputs())
    method = Classifier(
        encoder.train(),
        num_classes=len(data.classes),
        weight_decay=config.optimizer.weight_decay,
        layer_decay=config.layer_decay,
        label_smoothing=config.label_smoothing,
    )
    session.parent = subject.ref.run
    plan = session.settle(plan_of(config, items=len(dataset)))
    resolved = {
        **data.describe(),
        "encoder": config.encoder,
        "augmentation": policy.name,
        "labels": f"{config.labels}: {len(budget.train)} to train on, {len(budget.validation)} to stop by",
        **describe_plan(plan),
    }
    with session:
        watch = Validation(data, budget.split, budget.validation, plan, patience_epochs=config.patience_epochs)
        callbacks: list[pl.Callback] = [watch] if budget.validation else []
        trained = train(
            session, config, method, data, dataset, plan, resolved=resolved, inputs=encoder.inputs, callbacks=callbacks
        )
        if not isinstance(trained, Classifier):
            return None
        if budget.validation:
            load_best(trained, session.path / "checkpoints" / BEST)
        rows = evaluate(trained, data, plan, session.path, encoder=subject.ref.name, config=config)
        trained.encoder.save(session.path / "encoder")
        data.save_inputs(session.path / "encoder")
        with replacing(session.path / "classifier.safetensors") as temporary:
            save_file({k: v.detach().cpu().contiguous() for k, v in trained.head.state_dict().items()}, temporary)
        session.finish(rows, data=data)
    report = write_report(session.path)
    sys.stdout.write(f"\n{results_table(session.rows)}\n\nreport   {report}\n")
    return session.value


def choose_labels(labels: Any, data: Data, *, seed: int) -> Budget:
    """All labels with the validation split, or a stratified subset of train with a part of itself held out."""
    known = data.labels("train")
    assert known is not None
    if labels == "all":
        return Budget(list(range(len(known))), "validation", list(range(data.size("validation"))))
    targets = torch.from_numpy(known)
    subsets, notes = nested_subsets(targets, budgets=[labels], seed=seed)
    if labels not in subsets:
        raise ConfigError(f"labels={labels}: {notes[0]}")
    chosen = subsets[labels]
    if len(chosen) < MIN_PER_CLASS * len(np.unique(known)):
        return Budget(chosen.tolist(), "train", [])
    held, _ = nested_subsets(targets[chosen], budgets=[HELD_OUT], seed=seed)
    is_held = torch.zeros(len(chosen), dtype=torch.bool)
    is_held[held[HELD_OUT]] = True
    return Budget(chosen[~is_held].tolist(), "train", chosen[is_held].tolist())


def plan_of(config: FinetuneConfig, *, items: int) -> Plan:
    """The plan, with a batch no larger than the labelled items and at least `min_steps` steps."""
    loader = LoaderConfig(batch_size=min(config.loader.batch_size, max(2, items)), workers=config.loader.workers)
    plan = make_plan(config.trainer, loader, config.optimizer, config.schedule, items=items)
    if config.trainer.steps is None and plan.total_steps < config.min_steps:
        longer: TrainerConfig = dataclasses.replace(config.trainer, steps=config.min_steps)
        plan = make_plan(longer, loader, config.optimizer, config.schedule, items=items)
    return plan


def load_best(method: Classifier, path: Path) -> None:
    """The weights that did best on validation."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    method.load_state_dict({k.removeprefix("method."): v for k, v in state.items() if k.startswith("method.")})


def evaluate(
    method: Classifier, data: Data, plan: Plan, folder: Path, *, encoder: str, config: FinetuneConfig
) -> list[Row]:
    """Test rows; writes confusion.json and embedding.csv."""
    assert data.classes is not None
    scores, features = predict(method, data, data.evaluation("test"), plan)
    assert features.labels is not None
    write_json(
        folder / "confusion.json",
        {"classes": list(data.classes), "matrix": confusion_matrix(scores, features.labels).tolist()},
    )
    points, chosen = plane(features.features, seed=config.seed)
    names = [data.classes[int(i)] for i in features.labels[chosen]]
    write_embedding(folder / "embedding.csv", points, names)
    return classification_rows(
        scores,
        features.labels,
        encoder=encoder,
        dataset=data.name,
        split="test",
        evaluation="finetune",
        seed=config.seed,
        logits=True,
        labels_used=config.labels,
    )
