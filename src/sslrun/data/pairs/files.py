"""Images with captions out of tables, and their splits."""

from pathlib import Path

import numpy as np

from sslrun.config.dataset.pairs import PairsConfig
from sslrun.config.errors import DataError
from sslrun.data.labels import check_filled, code_labels
from sslrun.data.pairs.pairs import PairData
from sslrun.data.pairs.source import Captioned
from sslrun.data.pairs.tables import ENDINGS, Table, read_table
from sslrun.data.split_names import NAMES, refuse_parts
from sslrun.data.vision.images import decoder_of

Place = tuple[Table, np.ndarray]
"""A table, and positions of the images that are taken of it."""


class Pairs(PairData):
    """Train, and validation and test where they are named or found; else cut off train."""

    def __init__(self, config: PairsConfig) -> None:
        decoder = decoder_of(config)
        tables = {split: read_table(path, config, decoder, split=split) for split, path in split_tables(config).items()}
        places = cut(tables, config)
        classes, labels = None, dict.fromkeys(places)
        if config.label is not None:
            for name, (table, positions) in places.items():
                check_filled(table.columns[config.label], column=config.label, where=name, rows=positions)
            cells = {name: np.asarray(table.columns[config.label]) for name, (table, _) in places.items()}
            classes, coded = code_labels({name: cells[name][place[1]] for name, place in places.items()})
            labels = {name: _scattered(coded[name], place) for name, place in places.items()}
        sources = {
            name: Captioned(table.images, table.captions, labels[name], positions=positions)
            for name, (table, positions) in places.items()
        }
        super().__init__(config, sources, classes=classes)


def split_tables(config: PairsConfig) -> dict[str, Path]:
    """The table of each split that the dataset has.

    Raises:
        DataError: `dataset.path` is a folder without one.
    """
    if config.path is None:
        return {split: Path(path).expanduser() for split, path in config.named_splits.items() if path}
    path = Path(config.path).expanduser()
    if not path.is_dir():
        return {"train": path}
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    found = {split: [t for t in tables if t.stem in names] for split, names in NAMES.items()}
    if found["train"]:
        return {split: files[0] for split, files in found.items() if files}
    refuse_parts(path, (t.stem for t in tables))
    if len(tables) == 1 or (tables and all(t.suffix.lower() == ".parquet" for t in tables)):
        return {"train": tables[0] if len(tables) == 1 else path}
    listed = ", ".join(t.name for t in tables[:3]) or "none"
    raise DataError(
        f"dataset.path={config.path}: expected train.csv, test.csv or one table ({', '.join(ENDINGS)}); found {listed}"
        "; dataset.train=… names one"
    )


def cut(tables: dict[str, Table], config: PairsConfig) -> dict[str, Place]:
    """Train, validation and test: by `test_column`, else as they are; what is absent is cut off train by the seed.

    Raises:
        DataError: `test_values` take no image, or all; too few to cut.
    """
    places = {name: (table, np.arange(len(table))) for name, table in tables.items()}
    table, rest = places["train"]
    if config.test_column is not None:
        values = {str(value) for value in config.test_values}
        is_test = np.array([str(cell) in values for cell in table.columns[config.test_column]])
        if is_test.all() or not is_test.any():
            raise DataError(
                f"dataset.test_values={config.test_values} takes {is_test.sum()} of {len(table)} images by column "
                f"{config.test_column}; some must be left"
            )
        places["test"], rest = (table, np.flatnonzero(is_test)), np.flatnonzero(~is_test)
    for seed, (name, share) in enumerate((("test", config.test_share), ("validation", config.validation))):
        if name not in places:
            rest, taken = _cut(table, rest, share=share, seed=config.split_seed + seed, config=config)
            places[name] = (table, taken)
    return {**places, "train": (table, rest)}


def _cut(
    table: Table, positions: np.ndarray, *, share: float, seed: int, config: PairsConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The rest and a random share of the groups; an image by itself is one where nothing says what goes together."""
    cells = positions if config.together is None else [str(table.columns[config.together][i]) for i in positions]
    names, group = np.unique(np.asarray(cells), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    is_taken = np.isin(group, order[: max(1, round(share * len(names)))])
    if is_taken.all():
        raise DataError(
            f"dataset={config.name}: {len(positions)} image(s) are too few to cut off a split; give each split its own"
        )
    return positions[~is_taken], positions[is_taken]


def _scattered(labels: np.ndarray | None, place: Place) -> np.ndarray | None:
    """Labels of some of a table's images, each at its place in the table."""
    if labels is None:
        return None
    whole = np.full(len(place[0]), -1, dtype=np.int64)
    whole[place[1]] = labels
    return whole
