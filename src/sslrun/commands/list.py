"""`sslrun list [GROUP] [--json]`: choices of config groups from the package, plugins, and user folders."""

import argparse
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from sslrun.commands.descriptions import describe_entry, first_comment, first_paper, settings
from sslrun.config.checks import did_you_mean
from sslrun.config.errors import ConfigError
from sslrun.config.folders import group_files
from sslrun.config.registry import Entry, entries, find

GROUPS = {
    "methods": "method",
    "backbones": "backbone",
    "datasets": "dataset",
    "augmentations": "augmentation",
    "optimizers": "optimizer",
    "schedules": "schedule",
    "experiments": "experiment",
}
"""Command-line name -> config group."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One file of a config group: `group=name` chooses it.

    Attributes:
        reads, gives: batch types that a method reads, and that a dataset gives, as named in error messages.
        modalities: of a method, those of datasets that give what it reads; of an experiment, its dataset's; of an
            augmentation, those it is for, empty for any.
    """

    name: str
    description: str
    paper: str
    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    modalities: tuple[str, ...] = ()
    path: str


def main(arguments: list[str]) -> None:
    """Print a group's choices, or all groups with their counts."""
    parser = argparse.ArgumentParser(prog="sslrun list", description=f"GROUP is one of {', '.join(GROUPS)}")
    parser.add_argument("group", nargs="?", metavar="GROUP")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    if options.group is None:
        counts = {plural: len(group_files(group)) for plural, group in GROUPS.items()}
        lines = [f"{plural:<14}  {count:>3}   sslrun list {plural}" for plural, count in counts.items()]
        print(json.dumps(counts, indent=2) if options.json else "\n".join(lines))
        return
    group = group_of(options.group)
    found = choices(group)
    if options.json:
        print(json.dumps([asdict(choice) for choice in found], indent=2))
        return
    print("\n".join(_lines(found)) if found else f"none yet; a file ./conf/{group}/NAME.yaml makes one")


def group_of(word: str) -> str:
    """The config group of `methods` or `method`; ConfigError with the closest name otherwise."""
    group = GROUPS.get(word, word)
    if group not in GROUPS.values():
        near = did_you_mean(word, [*GROUPS, *GROUPS.values()])
        raise ConfigError(f"list {word}: no such group{near}; choose from {', '.join(GROUPS)}")
    return group


def choices(group: str) -> list[Choice]:
    """The values of `group=`, sorted by name."""
    return [_choice(group, name, path) for name, path in sorted(group_files(group).items())]


def _choice(group: str, name: str, path: Path) -> Choice:
    try:
        text = path.read_text(encoding="utf-8")
        entry = _entry(group, path)
    except (OSError, yaml.YAMLError, ConfigError) as error:
        problem = f"(cannot be read: {' '.join(str(error).split())})"
        return Choice(name=name, description=problem, paper="", path=str(path))
    return Choice(
        name=name,
        description=_description(name, text, entry),
        paper=entry.paper if entry else first_paper(text) if group == "augmentation" else "",
        reads=entry.reads if entry and group == "method" else (),
        gives=entry.gives if entry else (),
        modalities=_modalities(group, path, entry),
        path=str(path),
    )


def _modalities(group: str, path: Path, entry: Entry | None) -> tuple[str, ...]:
    if entry is None:
        modalities = _loaded(path).get("modalities") if group == "augmentation" else None
        return tuple(modalities) if isinstance(modalities, list) else ()
    if group == "method" and entry.reads:
        fitting = {dataset.modality for dataset in entries("dataset") if set(dataset.gives) & set(entry.reads)}
        return tuple(sorted(fitting, key=lambda modality: (modality != entry.modality, modality)))  # the paper's first
    dataset = _chosen(path, "dataset") if group == "experiment" else None
    return (dataset.modality if dataset else entry.modality,)


def _description(name: str, text: str, entry: Entry | None) -> str:
    """A method's own file is described by the method's docstring, as its comments are about hyperparameters."""
    if entry is not None and entry.group == "method" and entry.kind == name:
        return describe_entry(entry)
    return first_comment(text) or (describe_entry(entry) if entry else settings(text))


def _entry(group: str, path: Path, depth: int = 0) -> Entry | None:
    """The registered kind that a file configures: its own `/schema/<group>/<kind>`, or that of a file it extends.

    For an experiment, its method.
    """
    if group == "experiment":
        return _chosen(path, "method")
    texts = [item for item in _defaults(path) if isinstance(item, str)]
    for text in texts:
        if match := re.match(rf"/?schema/{group}/([\w-]+)", text):
            return find(group, match.group(1))
    parents = (
        group_files(group).get(text.removeprefix(f"/{group}/")) for text in texts if text != "_self_" and depth < 4
    )
    return next((entry for parent in parents if parent and (entry := _entry(group, parent, depth + 1))), None)


def _chosen(path: Path, group: str) -> Entry | None:
    """The kind that an experiment chooses in a group."""
    key = f"override /{group}"
    name = next((item[key] for item in _defaults(path) if key in item), "")
    known = group_files(group).get(name)
    return _entry(group, known) if known else None


def _defaults(path: Path) -> list[Any]:
    return _loaded(path).get("defaults") or []


def _loaded(path: Path) -> dict[str, Any]:
    config = yaml.safe_load(path.read_text(encoding="utf-8"))
    return config if isinstance(config, dict) else {}


def _lines(found: list[Choice]) -> list[str]:
    columns = [
        [c.name for c in found],
        [", ".join(c.reads or c.gives) for c in found],
        [", ".join(c.modalities) for c in found],
        [c.paper for c in found],
    ]
    padded = [[cell.ljust(max(map(len, column))) for cell in column] for column in columns if any(column)]
    return ["  ".join((*head, c.description)).rstrip() for *head, c in zip(*padded, found, strict=True)]
