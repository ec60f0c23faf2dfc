"""`sslrun pretrain`: train an encoder on unlabelled data."""

from pathlib import Path

import pytorch_lightning as pl

from sslrun.backbones.folder import build_encoder
from sslrun.commands.dry_run import dry_run
from sslrun.commands.frame import run_with_report
from sslrun.commands.session import Session
from sslrun.commands.train import check_settings, train
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.core.rows import Row
from sslrun.data.build import build_data
from sslrun.methods.base import build_method, check_labels
from sslrun.monitors.health import Health
from sslrun.monitors.held_out import HeldOut
from sslrun.nn.norms import has_batch_norm
from sslrun.runs.encoders import run_of
from sslrun.training.plan import describe_plan, make_plan


def run(config: PretrainConfig) -> float | None:
    """Train or continue; writes encoder/, results.json and report.html into the run folder.

    Returns:
        Top-1 of the online linear probe on validation, which a sweep optimises; None without labels.
    """
    return run_with_report("pretrain", config, pretrain)


def pretrain(session: Session, config: PretrainConfig) -> str | None:
    """Train and evaluate; returns the closing text, or None if this process is done."""
    check_settings(config)
    batch_type = dry_run(config)
    pl.seed_everything(config.seed, verbose=False)  # again: the dry run may have drawn random numbers
    data = build_data(config.dataset)
    session.check_data(data)
    check_labels(config.method, dataset=data.name, labelled=data.classes is not None)
    dataset = data.training(config.augmentation, batch_type=batch_type, seed=config.seed)
    method = build_method(config.method, build_encoder(config.backbone, data.encoder_inputs()))

    plan = make_plan(
        config.trainer,
        config.loader,
        config.optimizer,
        config.schedule,
        items=len(dataset),
        syncs_batch_norm=method.syncs_batch_norm if has_batch_norm(method) else None,
    )
    plan = session.settle(plan)
    resolved = {**data.describe(), **describe_plan(plan)}
    weights = config.backbone.pretrained
    with session.open(parent=run_of(Path(weights)) if isinstance(weights, str) else None):
        health = Health(config.monitor, data, dataset, plan, seed=config.seed)
        inputs = data.encoder_inputs()
        validation = data.held_out(config.augmentation, batch_type=batch_type)
        held_out = [HeldOut(config.monitor, data, validation, plan, seed=config.seed)] if validation else []
        callbacks: list[pl.Callback] = [health, *held_out]
        trained = train(
            session, config, method, data, dataset, plan, resolved=resolved, inputs=inputs, callbacks=callbacks
        )
        if trained is None:
            return None
        for name, encoder in trained.encoders().items():
            folder = session.path / "encoder" / ("" if name == "encoder" else name)
            encoder.save(folder)
            data.save_inputs(folder)
        trained.save_extras(session.path / "encoder")
        if health.stopped is not None:
            print(health.stopped)
        rows = health.rows(trained, encoder=session.name)
        rows += [row for monitor in held_out for row in monitor.rows(trained, encoder=session.name)]
        session.finish(rows, data=data, warnings=health.warnings, stopped_early=health.stopped)
    return "\n".join(closing_lines(session, rows))


def closing_lines(session: Session, rows: list[Row]) -> list[str]:
    """Results, paths, and the next command."""
    lines = []
    for row in rows:
        if row.metric == "top1":
            lines.append(f"online {row.evaluation} on {row.split}: {row.value:.1%} [{row.low:.1%}, {row.high:.1%}]")
        if row.evaluation == "held_out":
            lines.append(f"{row.metric} on {row.split}: {row.value:.4g} [{row.low:.4g}, {row.high:.4g}]")
    next_command = f"next     sslrun probe encoder={session.path}"
    return [*lines, f"report   {session.report}", f"encoder  {session.path / 'encoder'}", next_command]
