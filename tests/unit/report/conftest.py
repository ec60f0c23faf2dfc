"""A run folder written by hand: two classes, three encoders, four budgets."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

VALUES = {"byol-digits/made": 0.951, "random": 0.858, "pixels": 0.893}


def make_row(encoder: str, evaluation: str, value: float, **more: Any) -> dict[str, Any]:
    """One row of results.json; the interval is value ± 0.02 unless given."""
    return {
        "encoder": encoder,
        "dataset": "digits",
        "split": "test",
        "evaluation": evaluation,
        "metric": "top1",
        "value": value,
        "low": round(value - 0.02, 4),
        "high": round(value + 0.02, 4),
        "n": 360,
        "draws": 1,
        "seed": 0,
        "condition": "",
        "labels": "all",
    } | more


def made_rows() -> list[dict[str, Any]]:
    """kNN and linear with all labels; few labels: 1, 5, 10 and 50 per class, 1 %, 10 % and all."""
    rows = [
        make_row(encoder, evaluation, value - minus)
        for evaluation, minus in (("knn20", 0.01), ("linear", 0.0))
        for encoder, value in VALUES.items()
    ]
    rows += [make_row(encoder, "linear", value + 0.02, metric="auroc") for encoder, value in VALUES.items()]
    for labels, minus in ((1, 0.4), (5, 0.15), (10, 0.06), (50, 0.02), (0.01, 0.3), (0.1, 0.05), ("all", 0.01)):
        rows += [
            make_row(encoder, "few_labels", round(value - minus, 4), labels=labels, draws=1 if labels == "all" else 5)
            for encoder, value in VALUES.items()
        ]
    return rows


def made_metrics() -> str:
    """metrics.csv of 200 steps, with monitors every 20."""
    noise, lines = random.Random(0), ["step,epoch,seconds,name,value"]
    for step in range(200):
        epoch = step / 20
        values = {
            "train/loss": 5 - 2 * step / 200 + noise.gauss(0, 0.1),
            "train/lr": 0.3 * math.cos(step / 130),
            "train/items_per_second": 900 + noise.gauss(0, 30),
            "train/data_wait": 0.02,
            "train/ema_decay": 0.996,
        }
        if step % 20 == 0:
            up = step / 200
            values |= {"probe/knn20": 0.5 + 0.4 * up, "probe/linear": 0.6 + 0.35 * up, "health/rankme": 20 + 30 * up}
            values |= {"health/rankme_projector": 10 + 5 * up, "health/std": 0.9 - 0.2 * up}
            values |= {"health/alignment": 0.5 - 0.2 * up, "health/uniformity": -2 - up}
        lines += [f"{step},{epoch},{step * 0.1:.1f},{name},{value}" for name, value in values.items()]
    return "\n".join(lines) + "\n"


def made_manifest() -> dict[str, Any]:
    """run.json of a finished probe."""
    return {
        "schema_version": 1,
        "command": "probe",
        "status": "finished",
        "created": "2026-01-02T03:04:05+00:00",
        "finished": "2026-01-02T03:06:05+00:00",
        "seconds": 120.0,
        "parent": None,
        "argv": ["/venv/bin/sslrun", "probe", "encoder=runs/made & co"],
        "cwd": "/work",
        "git": {"commit": "abc123", "dirty": False},
        "versions": {"python": "3.11.2", "torch": "2.15.0"},
        "hardware": {"cpu": "A processor", "cores": 2},
        "sessions": [{"started": "2026-01-02T03:04:05+00:00", "stopped": None, "status": "finished", "pid": 1}],
        "resolved": {"precision": "bf16", "effective batch": "256"},
        "data": {"name": "digits", "fingerprint": "f00", "train": 1294, "validation": 143, "test": 360, "corrupt": []},
        "total_steps": 200,
    }


@pytest.fixture
def row() -> Callable[..., dict[str, Any]]:
    """`make_row`, for tests that make their own."""
    return make_row


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Rows of the made run."""
    return made_rows()


@pytest.fixture
def manifest() -> dict[str, Any]:
    """run.json of the made run."""
    return made_manifest()


@pytest.fixture
def made_run(tmp_path: Path) -> Path:
    """A whole run folder; a class is named `<b>`."""
    run = tmp_path / "probe" / "byol-digits" / "made"
    run.mkdir(parents=True)
    noise = random.Random(1)
    classes = ["<b>", "two"]
    points = [(noise.gauss(3 * (i % 2), 1), noise.gauss(0, 1), classes[i % 2]) for i in range(80)]
    monitor = "monitor: {collapse_std: 0.05, collapse_rank: 2.0, collapse_checks: 3}\n"
    (run / "run.json").write_text(json.dumps(made_manifest()))
    (run / "config.yaml").write_text(f"seed: 7\nencoder: runs/made\n{monitor}")
    (run / "metrics.csv").write_text(made_metrics())
    (run / "results.json").write_text(json.dumps({"schema_version": 1, "rows": made_rows()}))
    (run / "embedding.csv").write_text("x,y,label\n" + "".join(f"{x},{y},{c}\n" for x, y, c in points))
    (run / "confusion.json").write_text(json.dumps({"classes": classes, "matrix": [[170, 10], [7, 173]]}))
    return run
