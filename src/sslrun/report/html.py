"""A run's report.html: a self-contained file without scripts, for a run in any state."""

import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

from markupsafe import Markup

from sslrun.core.evaluations import is_share
from sslrun.report import figures
from sslrun.report.cautions import cautions
from sslrun.report.contents import Contents, Row, read_contents
from sslrun.report.headline import headline, main_row
from sslrun.report.page import page, write_page
from sslrun.report.panels import panels
from sslrun.report.tables import (
    budget_text,
    by_setting,
    few_labels,
    interval,
    number,
    other_rows,
)

SHOWN_ELSEWHERE = ("resolved", "argv", "sessions", "last_error", "warnings", "schema_version", "data")
"""Keys of run.json that are not in the environment table."""


def write_report(run: Path) -> Path:
    """Write `run/report.html` from the current contents of the run folder and return its path.

    Raises:
        OSError: the file cannot be written. Unreadable inputs are listed in the report instead.
    """
    path = run / "report.html"
    write_page(path, render(read_contents(run.absolute())))
    return path


def render(run: Contents) -> str:
    """The HTML page."""
    first, further = headline(run)
    return page(
        "report.html.j2",
        title=_title(run),
        headline=first,
        further=further,
        cautions=cautions(run),
        facts=_facts(run),
        settings=_settings(run.rows),
        bars=Markup(_bars(run.rows)),
        trainings=_trainings(run),
        embedding=Markup(_embedding(run)),
        confusion=Markup(_confusion(run)),
        run=run,
        resolved=_texts(run.manifest.get("resolved")),
        data=_texts(run.manifest.get("data")),
        environment=_texts({k: v for k, v in run.manifest.items() if k not in SHOWN_ELSEWHERE}),
        command=_command(run.manifest),
        sessions=[s for s in run.manifest.get("sessions") or [] if isinstance(s, dict)],
        number=number,
        interval=interval,
        budget_text=budget_text,
        is_share=is_share,
    )


def _settings(rows: list[Row]) -> list[dict[str, Any]]:
    """For each table: name, rows, and few-label blocks with their curves."""
    settings = []
    for i, (setting, group) in enumerate(by_setting(rows).items()):
        blocks = [(b, Markup(figures.few_label_curve(f"few{i}-{j}", b))) for j, b in enumerate(few_labels(group))]
        settings.append({"name": str(setting), "rows": other_rows(group), "blocks": blocks})
    return settings


def _trainings(run: Contents) -> list[dict[str, Any]]:
    """Curves of the run, and of the run that trained its encoder."""
    origin = "/".join(Path(str(run.manifest.get("parent"))).parts[-2:])
    titled = {"Training": (run.curves, ""), f"Training of the encoder: {origin}": (run.parent_curves, "parent-")}
    trainings = []
    for title, (curves, prefix) in titled.items():
        common, own = ([Markup(svg) for svg in part] for part in panels(curves, prefix=prefix))
        if curves:
            trainings.append({"title": title, "common": common, "own": own})
    return trainings


def _bars(rows: list[Row]) -> str:
    """The headline's metric for all evaluations and encoders under the same conditions."""
    main = main_row(rows)
    if main is None:
        return ""
    keys = ("dataset", "split", "condition", "labels", "metric")
    comparable = [r for r in rows if r["value"] is not None and all(r.get(k) == main.get(k) for k in keys)]
    return figures.bars("bars", comparable) if len(comparable) > 1 else ""


def _embedding(run: Contents) -> str:
    return figures.scatter("embedding", run.embedding) if run.embedding and run.embedding.x else ""


def _confusion(run: Contents) -> str:
    counts = run.confusion
    return figures.confusion_map("confusion", counts) if counts and any(map(any, counts.matrix)) else ""


def _title(run: Contents) -> str:
    return f"{run.manifest.get('command', 'run')} · {'/'.join(run.path.parts[-2:])}"


def _facts(run: Contents) -> list[tuple[str, str]]:
    manifest, data = run.manifest, run.manifest.get("data")
    seconds = manifest.get("seconds")
    facts = {
        "status": manifest.get("status"),
        "method": _at(run.config, "method", "kind"),
        "backbone": _at(run.config, "backbone", "name"),
        "encoder": run.config.get("encoder"),
        "data": data.get("name") if isinstance(data, dict) else _at(run.config, "dataset", "name"),
        "seed": run.config.get("seed"),
        "time": str(timedelta(seconds=round(seconds))) if isinstance(seconds, int | float) else None,
        "started": manifest.get("created"),
    }
    return [(key, str(value)) for key, value in facts.items() if value is not None]


def _at(tree: dict[str, Any], group: str, key: str) -> Any:
    value = tree.get(group)
    return value.get(key) if isinstance(value, dict) else None


def _texts(tree: Any, prefix: str = "") -> list[tuple[str, str]]:
    """Flatten a nested dict to dotted keys and texts, without empty values."""
    if not isinstance(tree, dict):
        return []
    texts: list[tuple[str, str]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            texts += _texts(value, f"{prefix}{key}.")
        elif value not in (None, [], ""):
            text = "\n".join(map(str, value)) if isinstance(value, list) else str(value)
            texts.append((f"{prefix}{key}", text))
    return texts


def _command(manifest: dict[str, Any]) -> str:
    argv = manifest.get("argv")
    if not isinstance(argv, list) or not argv:
        return ""
    program = Path(str(argv[0])).name
    return shlex.join(["sslrun" if program == "__main__.py" else program, *map(str, argv[1:])])
