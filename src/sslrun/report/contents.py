"""Reads a run folder; missing and damaged files are skipped, and damage is noted."""

import csv
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import yaml

T = TypeVar("T")
Row = dict[str, Any]
"""One row of results.json."""


@dataclass(frozen=True)
class Curve:
    """A logged metric: optimizer steps in ascending order, and values."""

    steps: list[int]
    values: list[float]


@dataclass(frozen=True)
class Embedding:
    """2D projection of held-out features, with labels."""

    x: list[float]
    y: list[float]
    labels: list[str]


@dataclass(frozen=True)
class Confusion:
    """Counts; `matrix[truth][prediction]`."""

    classes: list[str]
    matrix: list[list[int]]


@dataclass(frozen=True)
class Contents:
    """Contents of a run folder.

    Attributes:
        config_text: config.yaml as text; `config` is parsed.
        parent_curves: of the run that trained the encoder, if this run evaluates or fine-tunes it.
        damaged: one line for each unreadable file.
    """

    path: Path
    manifest: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Curve] = field(default_factory=dict)
    parent_curves: dict[str, Curve] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    embedding: Embedding | None = None
    confusion: Confusion | None = None
    damaged: list[str] = field(default_factory=list)


def read_contents(path: Path) -> Contents:
    """Read a run folder in any state: running, failed, or incomplete."""
    damaged: list[str] = []

    def part(name: str, parse: Callable[[str], T], default: T) -> T:
        try:
            return parse((path / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            return default
        except (OSError, ValueError, TypeError, LookupError, csv.Error, yaml.YAMLError) as error:
            damaged.append(f"{name} cannot be read ({type(error).__name__}: {' '.join(str(error).split())})")
            return default

    manifest: dict[str, Any] = part("run.json", _json_dict, {})
    parent = manifest.get("parent") if manifest.get("command") != "pretrain" else None
    return Contents(
        path=path,
        manifest=manifest,
        config_text=part("config.yaml", str, ""),
        config=part("config.yaml", _yaml_dict, {}),
        curves=part("metrics.csv", parse_curves, {}),
        parent_curves=part(f"{parent}/metrics.csv", parse_curves, {}) if parent else {},
        rows=part("results.json", _rows, []),
        embedding=part("embedding.csv", _embedding, None),
        confusion=part("confusion.json", _confusion, None),
        damaged=damaged,
    )


def parse_curves(text: str) -> dict[str, Curve]:
    """Curves of a metrics.csv by name, without non-finite values.

    Truncated lines, left by a crash, are skipped. For steps repeated by a resumed run the last value counts.
    """
    values: dict[str, dict[int, float]] = {}
    for row in csv.DictReader(text.splitlines()):
        try:
            name, step, value = row["name"], int(float(row["step"])), float(row["value"])
        except (TypeError, ValueError):
            continue
        if math.isfinite(value):
            values.setdefault(name, {})[step] = value
    return {name: Curve(sorted(v), [v[step] for step in sorted(v)]) for name, v in values.items()}


def _json_dict(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _yaml_dict(text: str) -> dict[str, Any]:
    value = yaml.safe_load(text) or {}
    if not isinstance(value, dict):
        raise ValueError("not a mapping")
    return value


def _rows(text: str) -> list[Row]:
    rows = _json_dict(text)["rows"]
    for row in rows:
        row["encoder"], row["evaluation"], row["metric"], row["value"]
    return list(rows)


def _embedding(text: str) -> Embedding:
    rows = list(csv.DictReader(text.splitlines()))
    return Embedding([float(r["x"]) for r in rows], [float(r["y"]) for r in rows], [str(r["label"]) for r in rows])


def _confusion(text: str) -> Confusion:
    value = _json_dict(text)
    classes, matrix = [str(c) for c in value["classes"]], [[int(n) for n in row] for row in value["matrix"]]
    if any(len(row) != len(classes) for row in matrix) or len(matrix) != len(classes):
        raise ValueError(f"matrix does not have {len(classes)} rows and columns, as its classes")
    return Confusion(classes, matrix)
