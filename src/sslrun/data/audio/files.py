"""Recordings in folders, with labels from class folders, a table or file names."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.csv
from tqdm import tqdm

from sslrun.config.dataset.audio import AudioConfig
from sslrun.config.dataset.splits import SPLIT_KEYS
from sslrun.config.errors import DataError
from sslrun.data.audio.audio import AudioData
from sslrun.data.audio.clips import Clips
from sslrun.data.audio.read import ENDINGS, read_wave
from sslrun.data.audio.store import cached_rows
from sslrun.data.content import content_digest
from sslrun.data.folders import cache_folder, walk
from sslrun.data.labels import check_filled, digest
from sslrun.data.split_names import find_splits, split_named
from sslrun.data.unreadable import check_corrupt

Annotation = tuple[str | None, str | None]
"""Label and group of a file."""


class AudioFiles(AudioData):
    """Train, and validation and test if they are named, found or matched."""

    def __init__(self, config: AudioConfig) -> None:
        corrupt: list[str] = []
        sources: dict[str, Clips] = {}
        listed = [(split, root, files) for split, root, files in splits_of(config) if files or split == "train"]
        for split, root, files in listed:
            if not files:
                raise DataError(f"no recordings under {root}; expected {root}/*.wav or {root}/<class>/*.wav")
            sources[split] = read_clips(root, files, config, corrupt)
        total = len(corrupt) + sum(map(len, sources.values()))
        if corrupt:
            what = "recordings cannot be read"
            check_corrupt(len(corrupt), total, what=what, first=corrupt[0], max_share=config.max_corrupt)
        super().__init__(config, sources, corrupt=corrupt)


def splits_of(config: AudioConfig) -> list[tuple[str, Path, list[str]]]:
    """Each split with its folder and the relative paths of its files."""
    if config.path is None:
        folders = {split: Path(p).expanduser() for split, p in config.named_splits.items() if p}
    else:
        root = Path(config.path).expanduser()
        below = [(f.name, f) for f in root.iterdir() if f.is_dir()] if root.is_dir() else []
        if config.test_pattern is not None and "train" not in {split_named(name) for name, _ in below}:
            below = []  # test files are found by the pattern, in whatever folder
        folders = find_splits(root, below) or {"train": root}
    for split, folder in folders.items():
        if not folder.is_dir():
            raise DataError(f"dataset.{SPLIT_KEYS[split] if config.path is None else 'path'}={folder}: no such folder")
    found = [(split, folder, sound_files(folder)) for split, folder in folders.items()]
    if config.test_pattern is None:
        return found
    _, root, files = found[0]
    is_test = re.compile(config.test_pattern)
    test = [f for f in files if is_test.search(f)]
    if not test:
        raise DataError(f"dataset.test_pattern={config.test_pattern}: matches none of {len(files)} files under {root}")
    train = [f for f in files if not is_test.search(f)]
    return [("train", root, train), *(f for f in found[1:] if f[0] != "test"), ("test", root, test)]


def sound_files(root: Path) -> list[str]:
    """Sorted relative POSIX paths of recordings; hidden files and folders are skipped."""
    found: list[str] = []
    for folder, below, names in walk(root):
        below[:] = [b for b in below if not b.startswith(".")]
        prefix = Path(folder).relative_to(root)
        sounds = (n for n in names if not n.startswith(".") and Path(n).suffix.lower() in ENDINGS)
        found += [(prefix / n).as_posix() for n in sounds]
    return sorted(found)


def read_clips(root: Path, files: list[str], config: AudioConfig, corrupt: list[str]) -> Clips:
    """The readable files of a split; the others' names are added to `corrupt`."""
    annotations = annotations_of(root, files, config)
    key = digest(str(config.sample_rate), content_digest(root, files, folder=cache_folder(config.cache_dir)))

    def rows() -> Iterator[np.ndarray]:
        for file in tqdm(files, desc=f"reading {root.name}", delay=2, leave=False):
            try:
                yield read_wave(root / file, sample_rate=config.sample_rate)
            except DataError:
                yield np.zeros(0, dtype=np.int16)

    waves = cached_rows(cache_folder(config.cache_dir) / "audio", key, rows)
    readable = np.flatnonzero(waves.lengths)
    corrupt += [f"{root.name}/{files[i]}" for i in np.flatnonzero(waves.lengths == 0)]
    columns = zip(*annotations, strict=True)
    labels, groups = (None if values[0] is None else np.array(values, dtype=str)[readable] for values in columns)
    if len(readable) < len(files):
        waves = waves.at(readable)
        key = digest(key, readable)
    return Clips(waves, [f"{root.name}/{files[i]}" for i in readable], labels, groups, key=key)


def annotations_of(root: Path, files: list[str], config: AudioConfig) -> list[Annotation]:
    """Label and group of each file; all None if the dataset has none.

    Raises:
        DataError: only some files have them.
    """
    if config.pattern is not None:
        return _by_pattern(files, config)
    if config.table is not None:
        return _by_table(root, files, config)
    folders = {f.split("/")[0] for f in files if "/" in f}
    if config.label is None or len(folders) < 2:
        return [(None, None)] * len(files)
    if stray := next((f for f in files if "/" not in f), None):
        raise DataError(f"{root / stray} lies beside the class folders {', '.join(sorted(folders)[:3])}; move it")
    return [(f.split("/")[0], None) for f in files]


def _by_pattern(files: list[str], config: AudioConfig) -> list[Annotation]:
    assert config.pattern is not None
    pattern = re.compile(config.pattern)
    label, group = (name if name in pattern.groupindex else None for name in (config.label, config.group))
    if config.label is not None and label is None:
        raise DataError(
            f"dataset.pattern={config.pattern}: has no group named {config.label}; write (?P<{config.label}>…), or "
            "dataset.label=null"
        )
    found: list[Annotation] = []
    for file in files:
        match = pattern.search(str(Path(file).with_suffix("")))
        if match is None:
            raise DataError(f"dataset.pattern={config.pattern}: does not match {file}")
        found.append((match[label] if label else None, match[group] if group else None))
    return found


def _by_table(root: Path, files: list[str], config: AudioConfig) -> list[Annotation]:
    assert config.table is not None
    base = Path(config.path).expanduser() if config.path else root
    path = base / Path(config.table).expanduser()
    try:
        options = pyarrow.csv.ParseOptions(delimiter="\t" if path.suffix == ".tsv" else ",")
        table = pyarrow.csv.read_csv(path, parse_options=options)
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise DataError(f"dataset.table={path}: cannot be read: {error}") from error
    for key in ("file", "label", "group"):
        column = getattr(config, key)
        is_default = key == "group" and column == AudioConfig.group
        if column is not None and column not in table.column_names and not is_default:
            raise DataError(
                f"dataset.{key}={column}: {path} has no such column; it has {', '.join(table.column_names)}"
            )
    cells = {name: table[name].to_pylist() for name in table.column_names}
    columns = {name: [str(v) for v in values] for name, values in cells.items()}
    row = {name: i for i, name in enumerate(columns[config.file])}
    if missing := next((f for f in files if f not in row), None):
        raise DataError(f"dataset.table={path}: has no row of {missing}")
    for key in ("label", "group"):
        column = getattr(config, key)
        if column in cells:  # rows of other splits may be empty
            check_filled(cells[column], column=column, where=path.name, key=key, rows=(row[f] for f in files))
    label, group = (columns.get(name or "") for name in (config.label, config.group))
    return [(label[row[f]] if label else None, group[row[f]] if group else None) for f in files]
