"""Texts from files, folders, or the library `datasets`."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.checks import check_path_or_splits
from sslrun.config.dataset.text import TextConfig
from sslrun.data.hub import distinct, is_saved, load_splits, no_such_split
from sslrun.data.labels import is_hidden
from sslrun.data.split_names import NAMES, find_splits
from sslrun.data.text.documents import Documents
from sslrun.data.text.read import ENDINGS, columns_of, read_documents
from sslrun.data.text.texts import InMemoryTexts


class Texts(InMemoryTexts):
    """Train, and validation and test if they are named or found."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__(config, read_sources(config))


def read_sources(config: TextConfig) -> dict[str, Documents]:
    """Documents of each split that the dataset has.

    Raises:
        DataError: no data found, or not as configured.
    """
    named = config.named_splits
    if config.path is None:
        return {split: read_documents(Path(p).expanduser(), config) for split, p in named.items() if p}
    path = Path(config.path).expanduser()
    if is_saved(path) or not path.exists():
        return _from_hub(config.path, config, named)
    check_path_or_splits(config.path, train=config.train, val=config.val, test=config.test)
    return {split: read_documents(found, config) for split, found in split_paths(path).items()}


def split_paths(path: Path) -> dict[str, Path]:
    """Splits below `path`; without a train among them, `path` itself is train."""
    if not path.is_dir():
        return {"train": path}
    folders = [(p.name, p) for p in path.iterdir() if p.is_dir()]
    files = [(p.stem, p) for p in path.iterdir() if p.is_file() and p.suffix.lower() in ENDINGS]
    return find_splits(path, folders + files) or {"train": path}


def _from_hub(path: str, config: TextConfig, named: dict[str, str | None]) -> dict[str, Documents]:
    tables = load_splits("text", path, subset=config.subset, options=config.options, train="train")
    wanted = {split: [name] if name else [split, *NAMES[split]] for split, name in named.items()}
    found = {split: next((n for n in names if n in tables), None) for split, names in wanted.items()}
    for split, name in named.items():
        if found[split] is None and (name or split == "train"):
            raise no_such_split(wanted[split][0], split=split, path=path, tables=tables)
    found = distinct(found, named=[split for split, name in named.items() if name])
    return {
        split: _documents(tables[name], config, where=f"{path}:{name}")
        for split, name in found.items()
        if name is not None
    }


def _documents(table: Any, config: TextConfig, *, where: str) -> Documents:
    """The documents of a table, with class indices replaced by class names."""
    columns = {name: list(table[name]) for name in table.column_names}
    for name, cells in columns.items():
        classes = getattr(table.features[name], "names", None)
        if not classes:
            continue
        if name == config.label and is_hidden(np.array(cells)):
            config = replace(config, label=None)
        columns[name] = [classes[c] if c is not None and c >= 0 else None for c in cells]
    return columns_of(columns, config=config, where=where)
