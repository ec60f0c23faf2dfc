"""`sslrun anomalies`: score each timestamp of a series by its reconstruction error under a trained method."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslrun.commands.encoders import Subject, find_subject
from sslrun.commands.frame import run_with_report
from sslrun.commands.restore import restore_method
from sslrun.commands.session import Session, print_resolved
from sslrun.config.command.anomalies import AnomaliesConfig
from sslrun.config.command.pretrain import PretrainConfig
from sslrun.config.errors import ConfigError, DataError
from sslrun.core.atomic import write_csv
from sslrun.core.rows import RowKey
from sslrun.data.build import build_data
from sslrun.data.series.series import SeriesData
from sslrun.evaluation.anomalies import Score, Scores, anomaly_rows, deviation, score_split, top_windows
from sslrun.evaluation.batches import eval_mode
from sslrun.methods.base import Method, build_method
from sslrun.report.tables import results_table
from sslrun.runs.encoders import CheckpointRef, EncoderRef, FolderRef
from sslrun.runs.load import load_run
from sslrun.runs.newest import newest
from sslrun.training.precision import accelerator_name

SHOWN = 10


@dataclass(frozen=True)
class Trained:
    """A method restored from its run, with what the untrained baseline needs."""

    subject: Subject
    method: Method
    config: PretrainConfig
    inputs: dict[str, Any]

    def untrained(self, *, seed: int) -> Method:
        """The same method with random weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_method(self.config.method, self.subject.untrained(self.inputs, seed=seed))


def run(config: AnomaliesConfig) -> None:
    """Score a split; leaves scores.csv, results.json and report.html in the run folder."""
    run_with_report("anomalies", config, measure)


def measure(session: Session, config: AnomaliesConfig) -> str:
    """Score the split and return the closing text: results, top anomalies, and paths."""
    trained = restore(config)
    data = build_data(trained.subject.dataset)
    if not isinstance(data, SeriesData) or data.channels != trained.inputs["channels"]:
        content = f"{data.channels} channel(s)" if isinstance(data, SeriesData) else "no series"
        raise DataError(
            f"dataset={data.name} has {content}; encoder={config.encoder} reads {trained.inputs['channels']} channel(s)"
        )
    if not data.size(config.split):
        raise DataError(f"dataset={data.name} has no split={config.split}; choose another split")
    device = accelerator_name(config.accelerator)
    with session.open(parent=trained.subject.ref.run):
        resolved = {**data.describe(), "encoder": config.encoder, "scored": config.split, "device": device}
        print_resolved(session, resolved)
        session.start(resolved=resolved, data=data)
        rows = []
        for name, score in build_scorers(config, trained, device=device).items():
            scores = score_split(data, config.split, score, batch_size=config.batch_size)
            key = RowKey(encoder=name, dataset=data.name, split=config.split, seed=config.seed)
            rows += anomaly_rows(scores, data, key=key)
            if name == trained.subject.ref.name:
                write_scores(session.path / "scores.csv", scores, data, config.split)
                top = top_windows(scores, data, config.split, count=SHOWN)
        session.finish(rows, data=data)
    names = data.recording_names(config.split)
    lines = [f"  {score:>10.3f}  {names[recording]}, row {row}" for score, recording, row in top]
    text = f"\n{results_table(session.rows)}\n\nhighest scores:\n" + "\n".join(lines)
    return f"{text}\n\nscores   {session.path / 'scores.csv'}\nreport   {session.report}"


def restore(config: AnomaliesConfig) -> Trained:
    """Restore the method of `encoder=`.

    Raises:
        ConfigError: it is not a run, or its method has no anomaly scores.
    """
    subject = find_subject(config.encoder, None, config.dataset)
    checkpoint = _checkpoint_of(subject.ref)
    manifest, run_config = ({}, None) if subject.ref.run is None else load_run(subject.ref.run)
    if not isinstance(run_config, PretrainConfig) or checkpoint is None:
        raise ConfigError(
            f"encoder={config.encoder} is not a pretraining run with a checkpoint; name a run of method=patchtst"
        )
    method, _ = restore_method(run_config, manifest, checkpoint)
    if not method.scores_anomalies:
        raise ConfigError(
            f"encoder={config.encoder}: method={run_config.method.kind} does not reconstruct series and has no scores; "
            "name a run of method=patchtst"
        )
    return Trained(subject, method, run_config, manifest["inputs"])


def _checkpoint_of(ref: EncoderRef) -> Path | None:
    match ref:
        case CheckpointRef(file=file):
            return file
        case FolderRef(run=Path() as run) if (found := newest(run / "checkpoints")) is not None:
            return found.path
    return None


def build_scorers(config: AnomaliesConfig, trained: Trained, *, device: str) -> dict[str, Score]:
    """Score functions by name in tables."""
    scorers = {trained.subject.ref.name: _reconstruction_error(trained.method, device=device)}
    if "random" in config.baselines:
        scorers["random"] = _reconstruction_error(trained.untrained(seed=config.seed), device=device)
    if "deviation" in config.baselines:
        scorers["deviation"] = deviation
    return scorers


def _reconstruction_error(method: Method, *, device: str) -> Score:
    method.to(device)

    def score(series: Tensor) -> Tensor:
        with eval_mode(method), torch.inference_mode():
            return method.anomaly_scores(series.to(device))

    return score


def write_scores(path: Path, scores: Scores, data: SeriesData, split: str) -> None:
    """Write a CSV of recording, row, score and, if labelled, anomaly; score is empty for missing values."""
    names, labels = data.recording_names(split), data.anomalies(split)

    def rows() -> Iterator[tuple[str | int, ...]]:
        for i, _, first, last in data.segments(split):
            for row in range(first, last):
                score = float(scores[i][row])
                shown = "" if math.isnan(score) else f"{score:.6g}"
                yield (names[i], row, shown, *((int(labels[i][row]),) if labels else ()))

    write_csv(path, ("recording", "row", "score", *(("anomaly",) if labels else ())), rows())
