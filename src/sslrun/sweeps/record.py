"""sweep.json: what a sweep's folder says about itself, so that it can be continued and shown."""

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
        overrides: that every trial has.
        metrics: names; null is the command's own number.
        directions: `maximize` or `minimize` for each metric.
        study, storage: where Optuna keeps it.
        config_dirs: given by --config-dir, absolute.
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
        """Flags and overrides that make the numbers: what the command of a single run needs."""
        overrides = [o for o in self.overrides if not o.lstrip("+~").startswith(("run.", "hydra"))]
        return [*(f"{CONFIG_DIR}{path}" for path in self.config_dirs), *overrides]

    def write(self, folder: Path, *, settled: bool) -> None:
        """Write sweep.json.

        Args:
            settled: whether a trial has its numbers already; before, the metric may change.

        Raises:
            RunError: the folder holds a sweep of another configuration.
        """
        before = read_record(folder)
        if before is not None:
            old, new = (_essence(record) for record in (before, self))
            if not settled:
                old["metric"] = new["metric"]
            if old != new:
                key = next(k for k in new if new[k] != old[k])
                raise RunError(
                    f"run.dir={folder} holds a sweep with {key} {old[key]}, not {new[key]}: trials that cannot be "
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


def _essence(record: SweepRecord) -> dict[str, Any]:
    kept = [o for o in record.overrides if not o.lstrip("+~").startswith(MAY_DIFFER)]
    return {
        "command": record.command,
        "overrides": sorted(kept),
        "metric": record.metrics,
        "direction": record.directions,
        "study": record.study,
    }
