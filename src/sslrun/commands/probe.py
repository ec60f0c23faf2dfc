"""`sslrun probe`: a frozen encoder measured by kNN, a linear probe and few labels, beside its baselines."""

import sys
from pathlib import Path

import pytorch_lightning as pl
import torch
from torch import nn

from sslrun.backbones.base import Encoder
from sslrun.commands.encoders import Subject, find_subject
from sslrun.commands.session import Session, print_resolved
from sslrun.config.command import ProbeConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.config.loader import LoaderConfig
from sslrun.config.trainer import Precision
from sslrun.core.atomic import write_json
from sslrun.data.base import Data, check_labelled
from sslrun.data.build import build_data
from sslrun.data.loader import evaluation_loader
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.features import Features, extract
from sslrun.evaluation.forecasting import forecast_rows, lag_rows, last_vector
from sslrun.evaluation.groups import group_rows
from sslrun.evaluation.plane import plane, write_embedding
from sslrun.evaluation.raw import Fitted, raw_baseline
from sslrun.evaluation.svm import svm_row
from sslrun.evaluation.table import ProbeResult, probe_rows
from sslrun.report.html import write_report
from sslrun.report.tables import results_table
from sslrun.training.plan import loader_workers
from sslrun.training.precision import accelerator_name, autocast_dtype, resolve_precision

Splits = dict[str, Features]


def run(config: ProbeConfig) -> float | None:
    """Measure the encoder and its baselines; leaves results.json and report.html in the run folder.

    Returns:
        Test top-1 of the linear probe.
    """
    session = Session("probe", config)
    if session.tell_finished():
        return session.value
    pl.seed_everything(config.seed, verbose=False)
    subject = find_subject(config.encoder, config.backbone, config.dataset)
    data = build_data(subject.dataset)
    horizons = data.horizons if isinstance(data, SeriesData) else ()
    if data.classes is None and not horizons:
        remedy = ", or dataset.window and dataset.horizons to forecast" if isinstance(data, SeriesData) else ""
        raise DataError(f"dataset={data.name} has no labels; probe needs a labelled dataset: dataset=…{remedy}")
    if data.classes is not None:
        check_labelled(data)
    device = accelerator_name(config.accelerator)
    precision = resolve_precision(config.precision, accelerator=device)
    resolved = {
        **data.describe(),
        "encoder": config.encoder,
        **subject.describe(),
        "device": f"{device}, {precision.value}",
    }

    session.parent = subject.ref.run
    with session:
        print_resolved(session, resolved)
        session.start(resolved=resolved, data=data)
        rows, chosen, notes = [], {}, []
        for name, encoder, read in encoders(config, subject, data):
            if horizons and isinstance(encoder, Encoder):
                assert isinstance(data, SeriesData)
                represent = last_vector(encoder.to(device), device=device)
                rows += forecast_rows(data, horizons, encoder=name, represent=represent, seed=config.seed)
            if data.classes is None:
                continue
            if isinstance(encoder, Fitted):
                result, splits = probe_fitted(encoder, name, data, config), None
            else:
                splits = features(encoder, read, config.loader, device=device, precision=precision)
                result = measure(splits, name, data, config)
            rows += result.rows
            if splits is not None:
                rows += group_rows(splits, data, encoder=name, seed=config.seed)
            if splits is not None and isinstance(data, SeriesData):
                rows.append(svm_row(*splits.values(), encoder=name, dataset=data.name, seed=config.seed))
            chosen[name] = result.chosen
            notes += [note for note in result.notes if note not in notes]
            if len(chosen) == 1 and splits is not None:
                write_pictures(session.path, splits["test"], result, data.classes, seed=config.seed)
        if horizons:
            assert isinstance(data, SeriesData)
            rows += lag_rows(data, horizons, seed=config.seed)
        session.finish(rows, data=data, chosen=chosen, warnings=notes)
    shown = [row for row in session.rows if not row["condition"].startswith("group=")]
    table = results_table([row for row in shown if row["metric"] in ("top1", "mse", "mae")])
    report = write_report(session.path)
    sys.stdout.write(f"\n{table}\n\nreport   {report}\n")
    return session.value


def encoders(config: ProbeConfig, subject: Subject, data: Data) -> list[tuple[str, nn.Module | Fitted, Data]]:
    """The encoder asked for and then the baselines, each with its name in tables and the data as it reads them."""
    inputs = data.encoder_inputs()
    named: list[tuple[str, nn.Module | Fitted, Data]] = []
    for asked in [subject.ref.name, *config.baselines]:
        name = data.raw if asked == "raw" else asked
        if name in [n for n, _, _ in named] or (name == "random" and subject.backbone is None):
            continue
        if name == "pixels" != data.raw:
            raise ConfigError(f"pixels: dataset={data.name} holds no images; its raw baseline is {data.raw}: say raw")
        if name == data.raw:
            named.append((name, raw_baseline(name), data))
        elif name == "random":
            named.append((name, subject.untrained(inputs, seed=config.seed), data))
        elif name == subject.ref.name:
            named.append((name, subject.build(inputs), data))
        else:  # timm:NAME, which has a normalisation and a size of its own
            other = find_subject(name, None, subject.dataset)
            read = build_data(other.dataset)
            named.append((name, other.build(read.encoder_inputs()), read))
    return named


def features(encoder: nn.Module, data: Data, loader: LoaderConfig, *, device: str, precision: Precision) -> Splits:
    """Every split through the encoder once."""
    encoder, prepare = encoder.to(device), data.prepare().to(device)
    encoder = encoder.to(memory_format=torch.channels_last)
    return {
        split: extract(
            encoder,
            evaluation_loader(
                data,
                data.evaluation(split),
                batch_size=loader.batch_size,
                workers=loader_workers(loader, devices=1),
            ),
            prepare,
            device=device,
            autocast=autocast_dtype(precision),
        )
        for split in ("train", "validation", "test")
    }


def measure(splits: Splits, name: str, data: Data, config: ProbeConfig) -> ProbeResult:
    """All numbers of one encoder."""
    assert data.classes is not None
    return probe_rows(
        splits["train"],
        splits["validation"],
        splits["test"],
        encoder=name,
        dataset=data.name,
        num_classes=len(data.classes),
        seed=config.seed,
        budgets=config.labels,
        draws=config.draws,
    )


def probe_fitted(baseline: Fitted, name: str, data: Data, config: ProbeConfig) -> ProbeResult:
    """All numbers of a baseline with classifiers of its own."""
    return baseline.probe(data, encoder=name, seed=config.seed, budgets=config.labels, draws=config.draws)


def write_pictures(folder: Path, test: Features, result: ProbeResult, classes: tuple[str, ...], *, seed: int) -> None:
    """embedding.csv and confusion.json, which the report draws."""
    points, chosen = plane(test.features, seed=seed)
    assert test.labels is not None
    labels = [classes[int(i)] for i in test.labels[chosen]]
    write_embedding(folder / "embedding.csv", points, labels)
    write_json(folder / "confusion.json", {"classes": list(classes), "matrix": result.confusion.tolist()})
