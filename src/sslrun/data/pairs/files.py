"""Images with captions from tables, and their splits."""

from pathlib import Path

import numpy as np

from sslrun.config.dataset.pairs import PairsConfig
from sslrun.config.errors import DataError
from sslrun.data.labels import check_filled, code_labels
from sslrun.data.pairs.pairs import PairData
from sslrun.data.pairs.source import CaptionedImages
from sslrun.data.pairs.tables import ENDINGS, Table, read_table
from sslrun.data.split_names import find_splits
from sslrun.data.vision.images import decoder_of

Selection = tuple[Table, np.ndarray]
"""A table, and the positions of the selected images."""


class Pairs(PairData):
    """Train, and validation and test if they are named or found; otherwise drawn from train."""

    def __init__(self, config: PairsConfig) -> None:
        decoder = decoder_of(config)
        tables = {split: read_table(path, config, decoder, split=split) for split, path in split_tables(config).items()}
        selections = cut(tables, config)
        classes, labels = None, dict.fromkeys(selections)
        if config.label is not None:
            for name, (table, positions) in selections.items():
                check_filled(table.columns[config.label], column=config.label, where=name, rows=positions)
            cells = {name: np.asarray(table.columns[config.label]) for name, (table, _) in selections.items()}
            classes, encoded = code_labels(
                {name: cells[name][positions] for name, (_, positions) in selections.items()}
            )
            labels = {name: _by_table_row(encoded[name], selection) for name, selection in selections.items()}
        sources = {
            name: CaptionedImages(table.images, table.captions, labels[name], positions=positions)
            for name, (table, positions) in selections.items()
        }
        super().__init__(config, sources, classes=classes)


def split_tables(config: PairsConfig) -> dict[str, Path]:
    """The table of each split that the dataset has.

    Raises:
        DataError: `dataset.path` is a folder without a table for train.
    """
    if config.path is None:
        return {split: Path(path).expanduser() for split, path in config.named_splits.items() if path}
    path = Path(config.path).expanduser()
    if not path.is_dir():
        return {"train": path}
    tables = sorted(file for file in path.iterdir() if file.suffix.lower() in ENDINGS)
    if found := find_splits(path, ((t.stem, t) for t in tables)):
        return found
    if len(tables) == 1 or (tables and all(t.suffix.lower() == ".parquet" for t in tables)):
        return {"train": tables[0] if len(tables) == 1 else path}
    listed = ", ".join(t.name for t in tables[:3]) or "none"
    raise DataError(
        f"dataset.path={config.path}: expected train.csv, test.csv or one table ({', '.join(ENDINGS)}); found {listed}"
        "; dataset.train=… names one"
    )


def cut(tables: dict[str, Table], config: PairsConfig) -> dict[str, Selection]:
    """Select train, validation and test: by `test_column` or by table; missing splits are drawn from train.

    Raises:
        DataError: `test_values` match no image or all of them, or there are too few to split.
    """
    selections = {name: (table, np.arange(len(table))) for name, table in tables.items()}
    table, rest = selections["train"]
    if config.test_column is not None:
        values = {str(value) for value in config.test_values}
        is_test = np.array([str(cell) in values for cell in table.columns[config.test_column]])
        if is_test.all() or not is_test.any():
            raise DataError(
                f"dataset.test_values={config.test_values} takes {is_test.sum()} of {len(table)} images by column "
                f"{config.test_column}; some must be left"
            )
        selections["test"], rest = (table, np.flatnonzero(is_test)), np.flatnonzero(~is_test)
    for seed, (name, share) in enumerate((("test", config.test_share), ("validation", config.validation))):
        if name not in selections:
            rest, taken = _cut(table, rest, share=share, seed=config.split_seed + seed, config=config)
            selections[name] = (table, taken)
    return {**selections, "train": (table, rest)}


def _cut(
    table: Table, positions: np.ndarray, *, share: float, seed: int, config: PairsConfig
) -> tuple[np.ndarray, np.ndarray]:
    """The rest and a random share of the groups of `dataset.together`; without it each image is a group."""
    cells = positions if config.together is None else [str(table.columns[config.together][i]) for i in positions]
    names, group = np.unique(np.asarray(cells), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(names))
    is_taken = np.isin(group, order[: max(1, round(share * len(names)))])
    if is_taken.all():
        raise DataError(
            f"dataset={config.name}: {len(positions)} image(s) are too few to cut off a split; give each split its own"
        )
    return positions[~is_taken], positions[is_taken]


def _by_table_row(labels: np.ndarray | None, selection: Selection) -> np.ndarray | None:
    """Labels of selected images as an array over all rows of the table, -1 elsewhere."""
    if labels is None:
        return None
    whole = np.full(len(selection[0]), -1, dtype=np.int64)
    whole[selection[1]] = labels
    return whole
