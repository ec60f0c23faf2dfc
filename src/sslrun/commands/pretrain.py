"""`sslrun pretrain`: one encoder from unlabelled data."""

import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from sslrun.backbones.folder import build_encoder
from sslrun.commands.rehearsal import rehearse
from sslrun.commands.session import Session
from sslrun.commands.train import check_settings, train
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.data.build import build_data
from sslrun.methods.base import build_method, check_labels
from sslrun.monitors.health import Health
from sslrun.monitors.held_out import HeldOut
from sslrun.nn.norms import has_batch_norm
from sslrun.report.html import write_report
from sslrun.runs.encoders import run_of
from sslrun.training.plan import describe_plan, make_plan


def run(config: PretrainConfig) -> float | None:
    """Train, or continue; leaves encoder/, results.json and report.html in the run folder.

    Returns:
        Top-1 of the online linear probe on validation, where there are labels; what a sweep optimises.
    """
    session = Session("pretrain", config)
    if session.tell_finished():
        return session.value
    if isinstance(config.backbone.pretrained, str):
        session.parent = run_of(Path(config.backbone.pretrained))
    check_settings(config)
    batch_type = rehearse(config)
    pl.seed_everything(config.seed, verbose=False)
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
    with session:
        health = Health(config.monitor, data, dataset, plan, seed=config.seed)
        inputs = data.encoder_inputs()
        validation = data.held_out(config.augmentation, batch_type=batch_type)
        held_out = [HeldOut(config.monitor, data, validation, plan, seed=config.seed)] if validation else []
        watch: list[pl.Callback] = [health, *held_out]
        trained = train(session, config, method, data, dataset, plan, resolved=resolved, inputs=inputs, callbacks=watch)
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
    report = write_report(session.path)
    _closing_lines(session.path, report, rows)
    return session.value


def _closing_lines(path: Path, report: Path, rows: list[Any]) -> None:
    for row in rows:
        if row.metric == "top1":
            sys.stdout.write(
                f"online {row.evaluation} on {row.split}: {row.value:.1%} [{row.low:.1%}, {row.high:.1%}]\n"
            )
        if row.evaluation == "held_out":
            sys.stdout.write(f"{row.metric} on {row.split}: {row.value:.4g} [{row.low:.4g}, {row.high:.4g}]\n")
    sys.stdout.write(f"report   {report}\nencoder  {path / 'encoder'}\nnext     sslrun probe encoder={path}\n")
