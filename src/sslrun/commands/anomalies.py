"""`sslrun anomalies`: how badly each timestamp of a series fits, by how badly a trained method rebuilds it."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sslrun.commands.encoders import Subject, find_subject
from sslrun.commands.frame import run_framed
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
    """A method restored from its run, and what its untrained baseline is built from."""

    subject: Subject
    method: Method
    config: PretrainConfig
    inputs: dict[str, Any]

    def untrained(self, *, seed: int) -> Method:
        """The same method before any training."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return build_method(self.config.method, self.subject.untrained(self.inputs, seed=seed))


def run(config: AnomaliesConfig) -> None:
    """Score a split; leaves scores.csv, results.json and report.html in the run folder."""
    run_framed("anomalies", config, measure)


def measure(session: Session, config: AnomaliesConfig) -> str:
    """The table of what was found, what fits worst, and the places of scores and report."""
    trained = restore(config)
    data = build_data(trained.subject.dataset)
    if not isinstance(data, SeriesData) or data.channels != trained.inputs["channels"]:
        held = f"{data.channels} channel(s)" if isinstance(data, SeriesData) else "no series"
        raise DataError(
            f"dataset={data.name} has {held}; encoder={config.encoder} reads {trained.inputs['channels']} channel(s)"
        )
    if not data.size(config.split):
        raise DataError(f"dataset={data.name} has no split={config.split}; choose another split")
    device = accelerator_name(config.accelerator)
    with session.open(parent=trained.subject.ref.run):
        resolved = {**data.describe(), "encoder": config.encoder, "scored": config.split, "device": device}
        print_resolved(session, resolved)
        session.start(resolved=resolved, data=data)
        rows = []
        for name, score in scorers(config, trained, device=device).items():
            scores = score_split(data, config.split, score, batch_size=config.batch_size)
            key = RowKey(encoder=name, dataset=data.name, split=config.split, seed=config.seed)
            rows += anomaly_rows(scores, data, key=key)
            if name == trained.subject.ref.name:
                write_scores(session.path / "scores.csv", scores, data, config.split)
                highest = top_windows(scores, data, config.split, count=SHOWN)
        session.finish(rows, data=data)
    names = data.recording_names(config.split)
    lines = [f"  {score:>10.3f}  {names[recording]}, row {row}" for score, recording, row in highest]
    found = f"\n{results_table(session.rows)}\n\nfits worst:\n" + "\n".join(lines)
    return f"{found}\n\nscores   {session.path / 'scores.csv'}\nreport   {session.report}"


def restore(config: AnomaliesConfig) -> Trained:
    """The method of `encoder=`.

    Raises:
        ConfigError: it is not a run, or its method gives no scores.
    """
    subject = find_subject(config.encoder, None, config.dataset)
    checkpoint = _checkpoint_of(subject.ref)
    manifest, known = ({}, None) if subject.ref.run is None else load_run(subject.ref.run)
    if not isinstance(known, PretrainConfig) or checkpoint is None:
        raise ConfigError(
            f"encoder={config.encoder} is not a pretraining run with a checkpoint; name a run of method=patchtst"
        )
    method, _ = restore_method(known, manifest, checkpoint)
    if not method.scores_anomalies:
        raise ConfigError(
            f"encoder={config.encoder}: method={known.method.kind} rebuilds no series, so it gives no scores; "
            "name a run of method=patchtst"
        )
    return Trained(subject, method, known, manifest["inputs"])


def _checkpoint_of(ref: EncoderRef) -> Path | None:
    match ref:
        case CheckpointRef(file=file):
            return file
        case FolderRef(run=Path() as run) if (found := newest(run / "checkpoints")) is not None:
            return found.path
    return None


def scorers(config: AnomaliesConfig, trained: Trained, *, device: str) -> dict[str, Score]:
    """What scores, by its name in tables."""
    found = {trained.subject.ref.name: _rebuilding(trained.method, device=device)}
    if "random" in config.baselines:
        found["random"] = _rebuilding(trained.untrained(seed=config.seed), device=device)
    if "deviation" in config.baselines:
        found["deviation"] = deviation
    return found


def _rebuilding(method: Method, *, device: str) -> Score:
    method.to(device)

    def score(series: Tensor) -> Tensor:
        with eval_mode(method), torch.inference_mode():
            return method.anomaly_scores(series.to(device))

    return score


def write_scores(path: Path, scores: Scores, data: SeriesData, split: str) -> None:
    """recording, row, score and, where it is known, anomaly; a timestamp without a value has no score."""
    names, known = data.recording_names(split), data.anomalies(split)

    def rows() -> Iterator[tuple[str | int, ...]]:
        for i, _, first, last in data.segments(split):
            for row in range(first, last):
                score = float(scores[i][row])
                shown = "" if math.isnan(score) else f"{score:.6g}"
                yield (names[i], row, shown, *((int(known[i][row]),) if known else ()))

    write_csv(path, ("recording", "row", "score", *(("anomaly",) if known else ())), rows())
