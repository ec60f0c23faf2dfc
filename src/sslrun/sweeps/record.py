"""sweep.json: description of a sweep in its folder, for continuing and showing it."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from sslrun.config.errors import RunError
from sslrun.core.atomic import write_json

NAME = "sweep.json"
SCHEMA_VERSION = 1
MAY_DIFFER = ("run.", "logger", "hydra", "loader.workers", "trainer.max_time", "trainer.checkpoint_minutes")
"""Overrides that may change between two sessions of one sweep: its trials stay comparable."""
CONFIG_DIR = "--config-dir="


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """One sweep.

    Attributes:
        command: `pretrain`, ….
        overrides: of all trials.
        metrics: names; None is the command's main metric.
        directions: `maximize` or `minimize` per metric.
        study, storage: name and storage of the Optuna study.
        config_dirs: from --config-dir, absolute.
    """

    command: str
    overrides: list[str]
    metrics: list[str | None]
    directions: list[str]
    study: str
    storage: str
    sampler: str
    pruner: str
    n_trials: int
    config_dirs: list[str] = field(default_factory=list)

    @property
    def passed(self) -> list[str]:
        """Flags and overrides that affect results, for the command of a single run."""
        overrides = [o for o in self.overrides if not o.lstrip("+~").startswith(("run.", "hydra"))]
        return [*(f"{CONFIG_DIR}{path}" for path in self.config_dirs), *overrides]

    def write(self, folder: Path, *, has_results: bool) -> None:
        """Write sweep.json.

        Args:
            has_results: whether a trial has finished; before that, the metric may change.

        Raises:
            RunError: the folder has a sweep of another configuration.
        """
        before = read_record(folder)
        if before is not None:
            old, new = (_comparable(record) for record in (before, self))
            if not has_results:
                old["metric"] = new["metric"]
            if old != new:
                key = next(k for k in new if new[k] != old[k])
                raise RunError(
                    f"run.dir={folder} holds a sweep with {key} {old[key]}, not {new[key]}; their trials cannot be "
                    "compared; choose another run.dir"
                )
        write_json(folder / NAME, {"schema_version": SCHEMA_VERSION, **asdict(self)})


def read_record(folder: Path) -> SweepRecord | None:
    """sweep.json; None if there is none.

    Raises:
        RunError: it cannot be read.
    """
    try:
        fields: dict[str, Any] = json.loads((folder / NAME).read_text())
        fields.pop("schema_version")
        return SweepRecord(**fields)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{folder / NAME} cannot be read: {error}") from error


def _comparable(record: SweepRecord) -> dict[str, Any]:
    kept = [o for o in record.overrides if not o.lstrip("+~").startswith(MAY_DIFFER)]
    return {
        "command": record.command,
        "overrides": sorted(kept),
        "metric": record.metrics,
        "direction": record.directions,
        "study": record.study,
    }
