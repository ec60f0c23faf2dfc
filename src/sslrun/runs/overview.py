"""Summaries of runs, for the table and the JSON of `sslrun runs`."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sslrun.runs.evidence import last_change
from sslrun.runs.job import read_job
from sslrun.runs.manifest import manifest_or_failed
from sslrun.runs.progress import LoggedProgress, read_progress
from sslrun.runs.queue import SlurmQueue
from sslrun.runs.results import MAIN, read_rows
from sslrun.runs.state import CurrentState, State, current_state

SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Summary of a run; docs/run-folder.md describes each field.

    Attributes:
        over: whether the run has ended and will not continue by itself.
        best, low, high, measure: its main number so far, the 95 % interval if there is one, and the name of the metric:
            a logged probe, or `evaluation/metric` of results.json for `probe` and `finetune`.
    """

    folder: str
    name: str
    command: str
    state: str
    over: bool
    note: str
    method: str
    dataset: str
    step: int | None
    total_steps: int | None
    items_per_second: float | None
    best: float | None
    low: float | None
    high: float | None
    measure: str
    created: str | None
    changed: str | None
    seconds: float | None
    host: str
    launcher: str
    job: str

    @property
    def progress(self) -> float | None:
        """Fraction of the steps that are done."""
        if self.state == State.finished.value:
            return 1.0
        return None if self.step is None or not self.total_steps else self.step / self.total_steps

    def as_json(self) -> dict[str, Any]:
        """For `sslrun runs --json`."""
        return asdict(self)


class Reader:
    """Reads overviews; those of finished runs that have not changed are cached."""

    def __init__(self) -> None:
        self._queue = SlurmQueue([])
        self._files: dict[Path, tuple[float, Overview]] = {}

    def read(self, folders: Sequence[Path]) -> list[Overview]:
        """Current overview of each folder."""
        self._queue.refresh(folders)
        return [self._read(folder) for folder in folders]

    def _read(self, folder: Path) -> Overview:
        changed = last_change(folder)
        known = self._files.get(folder)
        if known is not None and known[0] == changed and known[1].state in (State.finished.value, State.pruned.value):
            return known[1]
        found = overview(folder, self._queue)
        self._files[folder] = (changed, found)
        return found


def overview(folder: Path, queue: SlurmQueue) -> Overview:
    """Overview of one run."""
    manifest = manifest_or_failed(folder)
    record = read_job(folder) or {}
    now = current_state(folder, manifest, queue)
    progress = read_progress(folder / "metrics.csv")
    method, dataset = _subject(folder, manifest)
    best, low, high, measure = _best(folder, manifest, now, progress)
    changed = last_change(folder)
    task = record.get("task")
    return Overview(
        folder=str(folder),
        name="/".join(folder.absolute().parts[-2:]),
        command=manifest.get("command", ""),
        state=now.state.value,
        over=now.over,
        note=now.note,
        method=method,
        dataset=dataset,
        step=progress.step,
        total_steps=manifest.get("total_steps"),
        items_per_second=progress.items_per_second,
        best=best,
        low=low,
        high=high,
        measure=measure,
        created=manifest.get("created") or record.get("submitted"),
        changed=datetime.fromtimestamp(changed, UTC).isoformat(timespec="seconds") if changed else None,
        seconds=manifest.get("seconds"),
        host=manifest.get("host", ""),
        launcher=record.get("launcher", ""),
        job=str(record.get("job", "")) + ("" if task is None else f"_{task}"),
    )


def _subject(folder: Path, manifest: dict[str, Any]) -> tuple[str, str]:
    """Method and dataset. `config.yaml` is searched by regex, because parsing thousands of them takes minutes."""
    try:
        text = (folder / "config.yaml").read_text()
    except OSError:
        text = ""
    dataset = (manifest.get("data") or {}).get("name") or _value(text, "dataset", "name")
    return _value(text, "method", "kind"), str(dataset)


def _value(text: str, section: str, key: str) -> str:
    found = re.search(rf"^{section}:\n(?:[ -].*\n)*?  {key}: (.*)$", text, re.MULTILINE)
    return "" if found is None or found[1] == "null" else found[1].strip("'\"")


def _best(
    folder: Path, manifest: dict[str, Any], now: CurrentState, progress: LoggedProgress
) -> tuple[float | None, float | None, float | None, str]:
    command = manifest.get("command", "")
    if now.state is State.finished and (command != "pretrain" or progress.best is None):
        evaluation, metric = MAIN.get(command, ("", ""))
        try:
            rows = read_rows(folder)
        except (ValueError, KeyError):  # results.json is damaged
            rows = []
        for row in rows:
            if (row["evaluation"], row["metric"]) == (evaluation, metric):
                return row["value"], row["low"], row["high"], f"{evaluation}/{metric}"
    return progress.best, None, None, progress.probe or ""
