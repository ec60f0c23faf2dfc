"""Search for run folders at any depth."""

import os
from collections.abc import Iterator
from pathlib import Path

SKIPPED = {"checkpoints", "encoder", "tensorboard", "wandb"}
"""Subfolders of runs that contain no runs; elsewhere users may have folders of these names."""
MARKS = {"run.json", "job.json"}


def find_runs(top: Path) -> Iterator[Path]:
    """Folders of runs, and of jobs that have not started; `top` may be one itself."""
    seen: set[tuple[int, int]] = set()
    links: list[Path] = []
    yield from _below(top, seen, links)
    for link in links:  # last, so that a run is listed under its own path rather than a link's
        yield from _below(link, seen, links)


def _below(top: Path, seen: set[tuple[int, int]], links: list[Path]) -> Iterator[Path]:
    folders = [top]
    while folders:
        folder = folders.pop()
        try:
            stat = folder.stat()
            entries = list(os.scandir(folder))
        except OSError:  # removed meanwhile, or not readable
            continue
        if (stat.st_dev, stat.st_ino) in seen:
            continue
        seen.add((stat.st_dev, stat.st_ino))
        is_run = bool(MARKS & {entry.name for entry in entries})
        if is_run:
            yield folder
        for entry in entries:
            if (is_run and entry.name in SKIPPED) or entry.name.startswith("."):
                continue
            if entry.is_symlink():
                links.append(folder / entry.name)
            elif entry.is_dir():
                folders.append(folder / entry.name)
