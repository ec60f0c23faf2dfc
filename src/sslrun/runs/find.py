"""Run folders below a folder, at any depth."""

import os
from collections.abc import Iterator
from pathlib import Path

SKIPPED = {"checkpoints", "encoder", "tensorboard", "wandb", "slurm", "__pycache__"}
"""Parts of a run folder and of a sweep's, in which no run lies."""
MARKS = {"run.json", "job.json"}


def find_runs(top: Path) -> Iterator[Path]:
    """Folders of runs, and of jobs that are still to start; `top` may be one itself."""
    seen: set[tuple[int, int]] = set()
    links: list[Path] = []
    yield from _below(top, seen, links)
    for link in links:  # last, so that a run is known by its own path and not by that of a link to it
        yield from _below(link, seen, links)


def _below(top: Path, seen: set[tuple[int, int]], links: list[Path]) -> Iterator[Path]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            facts = folder.stat()
            entries = list(os.scandir(folder))
        except OSError:  # gone meanwhile, or closed to us
            continue
        if (facts.st_dev, facts.st_ino) in seen:
            continue
        seen.add((facts.st_dev, facts.st_ino))
        if MARKS & {entry.name for entry in entries}:
            yield folder
        for entry in entries:
            if entry.name in SKIPPED or entry.name.startswith("."):
                continue
            if entry.is_symlink():
                links.append(folder / entry.name)
            elif entry.is_dir():
                folders.append(folder / entry.name)
