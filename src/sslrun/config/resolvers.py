"""OmegaConf resolvers for the names of run folders."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

STARTED = datetime.now()
"""Start of this process, so that every resolution gives the same folder."""


def register_resolvers() -> None:
    """Register `${sslrun.run_dir:…}` and `${sslrun.sweep_dir:…}`; safe to call twice."""
    OmegaConf.register_new_resolver("sslrun.run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("sslrun.sweep_dir", _sweep_dir, replace=True)


def _run_dir(given: str | None, command: str, *, _root_: Any) -> str:
    return given or f"runs/{command}/{run_name(_root_)}/{_stamp()}"


def _sweep_dir(given: str | None, command: str, *, _root_: Any) -> str:
    """The name of a study, if it has one, instead of a time, so that the study is found again."""
    study = OmegaConf.select(_root_, "hydra.sweeper.study_name", default=None)
    return given or f"runs/{command}/sweep/{study or _stamp()}"


def _stamp() -> str:
    """In milliseconds, because `&` may start several commands at once."""
    return f"{STARTED:%Y%m%d-%H%M%S}-{STARTED.microsecond // 1000:03d}"


def run_name(config: Any) -> str:
    """`<method>-<dataset>` for pretraining, `<encoder's run>` for evaluations, as a file name."""
    encoder = OmegaConf.select(config, "encoder", throw_on_missing=False)
    dataset = OmegaConf.select(config, "dataset.name", throw_on_missing=False)
    path = Path(str(encoder))
    if path.suffix == ".ckpt" and path.parent.name == "checkpoints":
        path = path.parents[1] / path.stem  # RUN/checkpoints/last.ckpt
    first = path.name if encoder else OmegaConf.select(config, "method.kind", throw_on_missing=False)
    parent = path.parent.name if encoder and "/" in str(encoder) else None
    labels = OmegaConf.select(config, "labels", throw_on_missing=False) if encoder else None
    labels = f"labels{labels}" if labels is not None and not OmegaConf.is_list(labels) and labels != "all" else None
    parts = [str(p) for p in (parent, first, dataset, labels) if p]
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts)) or "run"
