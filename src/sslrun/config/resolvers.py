"""Names of run folders, resolved by Hydra while it composes."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

STARTED = datetime.now()
"""When this process began, so that every resolution gives the same folder."""


def register_resolvers() -> None:
    """Make `${sslrun.run_dir:…}` and `${sslrun.sweep_dir:…}` known; safe to call twice."""
    OmegaConf.register_new_resolver("sslrun.run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("sslrun.sweep_dir", _sweep_dir, replace=True)


def _run_dir(given: str | None, command: str, *, _root_: Any) -> str:
    return given or f"runs/{command}/{run_name(_root_)}/{_stamp()}"


def _sweep_dir(given: str | None, command: str, *, _root_: Any) -> str:
    """A study that has a name is found again by it."""
    study = OmegaConf.select(_root_, "hydra.sweeper.study_name", default=None)
    return given or f"runs/{command}/sweep/{study or _stamp()}"


def _stamp() -> str:
    """To the millisecond, since two commands are started together by `&`."""
    return f"{STARTED:%Y%m%d-%H%M%S}-{STARTED.microsecond // 1000:03d}"


def run_name(config: Any) -> str:
    """`<method>-<dataset>` of a pretraining, `<encoder's run>` of an evaluation, as a file name."""
    encoder = OmegaConf.select(config, "encoder", throw_on_missing=False)
    dataset = OmegaConf.select(config, "dataset.name", throw_on_missing=False)
    first = Path(str(encoder)).name if encoder else OmegaConf.select(config, "method.kind", throw_on_missing=False)
    parent = Path(str(encoder)).parent.name if encoder and "/" in str(encoder) else None
    labels = OmegaConf.select(config, "labels", throw_on_missing=False) if encoder else None
    labels = f"labels{labels}" if labels is not None and not OmegaConf.is_list(labels) and labels != "all" else None
    parts = [str(p) for p in (parent, first, dataset, labels) if p]
    return re.sub(r"[^\w.+-]+", "_", "-".join(parts)) or "run"
