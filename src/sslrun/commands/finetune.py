"""`sslrun finetune`: fine-tune all weights of an encoder on all or few labels or transcripts."""

import dataclasses
from pathlib import Path

import pytorch_lightning as pl
import torch
from safetensors.torch import save_file

from sslrun.commands.encoders import find_subject
from sslrun.commands.frame import run_with_report
from sslrun.commands.session import Session
from sslrun.commands.train import check_settings, train
from sslrun.config.command.finetune import FinetuneConfig, HeadStart
from sslrun.config.errors import ConfigError
from sslrun.config.loader import LoaderConfig
from sslrun.config.search_path import augmentation_named
from sslrun.config.trainer import TrainerConfig
from sslrun.core.atomic import replacing
from sslrun.data.build import build_data
from sslrun.data.subset import Subset
from sslrun.evaluation.goals import goal_of
from sslrun.evaluation.goals.base import Goal, LabelSplit
from sslrun.methods.base import check_policy
from sslrun.methods.fine_tuned import FineTuned
from sslrun.monitors.validation import Validation
from sslrun.report.tables import results_table
from sslrun.runs.encoders import PixelsRef
from sslrun.training.checkpoints import BEST
from sslrun.training.plan import Plan, describe_plan, make_plan, micro_batches
from sslrun.training.states import method_state


def run(config: FinetuneConfig) -> float | None:
    """Train or continue; writes results.json, report.html, encoder/ and the head's weights into the run folder.

    Returns:
        Top-1 on the items held out for early stopping, else on test; None for transcripts.
    """
    return run_with_report("finetune", config, fine_tune)


def fine_tune(session: Session, config: FinetuneConfig) -> str | None:
    """Train and evaluate; returns the closing text, or None if this process is done."""
    subject = find_subject(config.encoder, config.backbone, config.dataset)
    if isinstance(subject.ref, PixelsRef):
        raise ConfigError("encoder=pixels has no weights to fine-tune; `sslrun probe encoder=pixels` measures it")
    if config.augmentation is not None:
        check_policy(config.augmentation, subject.dataset)
    check_settings(config)
    data = build_data(subject.dataset)
    session.check_data(data)
    goal = goal_of(data)
    if config.head is HeadStart.regression and not goal.has_regression:
        raise ConfigError(f"head=regression starts a classifier, not a {goal.head}; choose head=random")
    label_split = goal.label_split(config.labels, seed=config.seed)
    policy = config.augmentation or augmentation_named(data.mild)
    dataset = Subset(data.training(policy, batch_type=data.single, seed=config.seed), label_split.train)
    encoder = subject.build(data.encoder_inputs())
    method = goal.method(encoder.train(), config)
    session.compare_with(subject.ref.run, data, same=config.dataset is None)
    plan = session.settle(plan_of(config, items=len(dataset)))
    resolved = {
        **data.describe(),
        "encoder": config.encoder,
        **subject.describe(),
        "augmentation": policy.name,
        "labels": (
            f"{config.labels}: {len(label_split.train)} for training, {len(label_split.validation)} for early stopping"
        ),
        **describe_plan(plan),
    }
    with session.open(parent=subject.ref.run):
        validation = Validation(goal, label_split, plan, patience=config.patience)
        if config.head is HeadStart.regression and session.checkpoint is None:
            goal.init_head(method, label_split.train, plan)
        callbacks: list[pl.Callback] = [validation] if label_split.validation else []
        trained = train(
            session, config, method, data, dataset, plan, resolved=resolved, inputs=encoder.inputs, callbacks=callbacks
        )
        if not isinstance(trained, FineTuned):
            return None
        if label_split.validation:
            load_best(trained, session.path / "checkpoints" / BEST)
        rows = goal.measure(trained, plan, session.path, encoder=subject.ref.name, config=config)
        trained.encoder.save(session.path / "encoder")
        data.save_inputs(session.path / "encoder")
        head = {k: v.detach().cpu().contiguous() for k, v in trained.head.state_dict().items()}
        with replacing(session.path / f"{goal.head}.safetensors") as temporary:
            save_file(head, temporary, metadata=goal.metadata(trained))
        session.finish(rows, data=data, selection=validation_metrics(goal, label_split, trained, plan))
    return f"\n{results_table(session.rows)}\n\nreport   {session.report}"


def validation_metrics(goal: Goal, label_split: LabelSplit, method: FineTuned, plan: Plan) -> dict[str, float]:
    """Metrics on the items held out for early stopping, named as in results.json; empty if nothing was held out."""
    if not label_split.validation:
        return {}
    logs = goal.check(method, label_split.split, label_split.validation, plan).logs
    return {name.replace("probe/", "finetune/"): value for name, value in logs.items()}


def plan_of(config: FinetuneConfig, *, items: int) -> Plan:
    """The plan, with a batch no larger than the labelled items and at least `min_steps` steps."""
    parts = micro_batches(config.trainer)
    max_batch_size = max(2, items // parts * parts or parts)
    loader = LoaderConfig(batch_size=min(config.loader.batch_size, max_batch_size), workers=config.loader.workers)
    plan = make_plan(config.trainer, loader, config.optimizer, config.schedule, items=items)
    if config.trainer.steps is None and plan.total_steps < config.min_steps:
        longer: TrainerConfig = dataclasses.replace(config.trainer, steps=config.min_steps)
        plan = make_plan(longer, loader, config.optimizer, config.schedule, items=items)
    return plan


def load_best(method: FineTuned, path: Path) -> None:
    """Load the weights with the best validation score."""
    state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    method.load_state_dict(method_state(state))
