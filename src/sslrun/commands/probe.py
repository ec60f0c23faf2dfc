"""`sslrun probe`: evaluate a frozen encoder and its baselines with all evaluations that fit the dataset."""

from torch import nn

from sslrun.commands.encoders import Subject, find_subject
from sslrun.commands.frame import run_with_report
from sslrun.commands.session import Session, print_resolved
from sslrun.config.command.probe import ProbeConfig
from sslrun.config.errors import ConfigError
from sslrun.core.rows import Row
from sslrun.data.base import Data
from sslrun.data.build import build_data
from sslrun.evaluation.probes import probes_of
from sslrun.evaluation.probes.base import FrozenEncoder
from sslrun.evaluation.raw import ClassifierBaseline, FeatureBaseline, raw_baseline
from sslrun.report.tables import results_table
from sslrun.training.precision import accelerator_name, resolve_precision

Encoding = nn.Module | FeatureBaseline | ClassifierBaseline


def run(config: ProbeConfig) -> float | None:
    """Evaluate the encoder and its baselines; writes results.json and report.html into the run folder.

    Returns:
        Validation top-1 of the linear probe, the criterion that selected its head.
    """
    return run_with_report("probe", config, measure)


def measure(session: Session, config: ProbeConfig) -> str:
    """Evaluate and return the closing text: results and the report's path."""
    subject = find_subject(config.encoder, config.backbone, config.dataset)
    data = build_data(subject.dataset)
    probes = probes_of(data, config)
    device = accelerator_name(config.accelerator)
    precision = resolve_precision(config.precision, accelerator=device)
    resolved = {
        **data.describe(),
        "encoder": config.encoder,
        **subject.describe(),
        "device": f"{device}, {precision.value}",
    }

    session.compare_with(subject.ref.run, data, same=config.dataset is None)
    with session.open(parent=subject.ref.run):
        print_resolved(session, resolved)
        session.start(resolved=resolved, data=data)
        rows: list[Row] = []
        chosen: dict[str, dict[str, float]] = {}
        notes: list[str] = []
        for i, (name, encoder, read) in enumerate(encoders(config, subject, data)):
            frozen = FrozenEncoder(name, encoder, read, loader=config.loader, device=device, precision=precision)
            for probe in probes:
                measurement = probe.measure(frozen)
                rows += measurement.rows
                chosen.setdefault(name, {}).update(measurement.chosen)
                notes += [note for note in measurement.notes if note not in notes]
                if i == 0:
                    probe.write_figure_data(frozen, session.path)
        for probe in probes:
            rows += probe.references()
        own = next(iter(chosen.values()))
        selection = {"linear/top1": own["validation_top1"]} if own else {}
        session.finish(rows, data=data, chosen=chosen, selection=selection, warnings=notes)
    shown = [row for row in session.rows if not row["condition"].startswith("group=")]
    table = results_table([row for row in shown if row["metric"] in ("top1", "mse", "mae")])
    return f"\n{table}\n\nreport   {session.report}"


def encoders(config: ProbeConfig, subject: Subject, data: Data) -> list[tuple[str, Encoding, Data]]:
    """The requested encoder, then the baselines: name in tables, encoder, and dataset with its preprocessing."""
    inputs = data.encoder_inputs()
    named: list[tuple[str, Encoding, Data]] = []
    for requested in [subject.ref.name, *config.baselines]:
        name = data.raw if requested == "raw" else requested
        if name in [n for n, _, _ in named] or (name == "random" and subject.backbone is None):
            continue
        if name == "pixels" and data.raw != "pixels":
            raise ConfigError(f"pixels: dataset={data.name} holds no images; its raw baseline is {data.raw}: say raw")
        if name == data.raw:
            named.append((name, raw_baseline(name), data))
        elif name == "random":
            named.append((name, subject.untrained(inputs, seed=config.seed), data))
        elif name == subject.ref.name:
            named.append((name, subject.build(inputs), data))
        else:  # timm:NAME, with its own preprocessing
            other = find_subject(name, None, subject.dataset)
            read = build_data(other.dataset)
            named.append((name, other.build(read.encoder_inputs()), read))
    return named
