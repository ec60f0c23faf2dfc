"""What the library `datasets` loads: a local folder or a name on the hub."""

from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.vision import HuggingFaceConfig
from sslrun.config.errors import DataError
from sslrun.data.labels import Coded, code_labels, digest
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.images import ImageData, decoder_of


class HuggingFace(ImageData):
    """Train, and validation and test where the dataset has splits of those names."""

    def __init__(self, config: HuggingFaceConfig) -> None:
        loaded = _load(config)
        if config.train not in loaded:
            raise DataError(
                f"dataset.train={config.train}: {config.path} has no such split"
                f"{did_you_mean(config.train, loaded)}; it has {', '.join(loaded)}"
            )
        wanted = {"train": config.train, "validation": config.val, "test": config.test}
        tables = {split: loaded[name] for split, name in wanted.items() if name in loaded}
        for table in tables.values():
            _check_columns(table, config)
        classes, labels = _labels(tables, config.label)
        decoder = decoder_of(config)
        sources = {
            split: HubSource(
                table, column=config.image, labels=labels[split], decoder=decoder, name=wanted[split] or ""
            )
            for split, table in tables.items()
        }
        super().__init__(config, sources, classes=classes)


class HubSource:
    """Rows of one split; the library maps its Arrow files, so nothing is held in memory."""

    embedded = False

    def __init__(self, table: Any, *, column: str, labels: np.ndarray | None, decoder: Decoder, name: str) -> None:
        from datasets import Image

        self.labels = labels
        self.fingerprint = digest(table._fingerprint, len(table), column)
        self._table = table.select_columns([column]).cast_column(column, Image(decode=False))
        self._column, self._decoder, self._name = column, decoder, name

    def __len__(self) -> int:
        return len(self._table)

    def read(self, position: int) -> np.ndarray:
        cell = self._table[position][self._column]
        if cell is None or (cell["bytes"] is None and cell["path"] is None):
            raise DataError(f"{self.name(position)}: no image in this row")
        return self._decoder(cell["bytes"] or Path(cell["path"]), name=self.name(position))

    def name(self, position: int) -> str:
        return f"{self._name}:{position}"


def _load(config: HuggingFaceConfig) -> dict[str, Any]:
    try:
        import datasets
    except ImportError as error:
        raise DataError("dataset=hf needs the library `datasets`: pip install 'sslrun[hf]'") from error
    path = Path(str(config.path)).expanduser()
    saved = (path / "dataset_dict.json").exists() or (path / "state.json").exists()
    try:
        if saved:
            loaded = datasets.load_from_disk(str(path))
        else:
            name = str(path) if path.exists() else config.path
            loaded = datasets.load_dataset(name, config.subset, **config.options)
    except Exception as error:  # the library raises its own, the hub's, requests' and builtin errors
        raise DataError(f"dataset.path={config.path} cannot be loaded: {str(error).splitlines()[0]}") from error
    return dict(loaded) if isinstance(loaded, dict) else {config.train: loaded}


def _check_columns(table: Any, config: HuggingFaceConfig) -> None:
    for key, column in (("image", config.image), ("label", config.label)):
        if column is not None and column not in table.column_names:
            unlabelled = "; dataset.label=null for none" if key == "label" else ""
            raise DataError(
                f"dataset.{key}={column}: no such column in {config.path}{did_you_mean(column, table.column_names)}; "
                f"it has {', '.join(table.column_names)}{unlabelled}"
            )


def _labels(tables: dict[str, Any], column: str | None) -> Coded:
    if column is None:
        return None, dict.fromkeys(tables)
    values = {split: np.asarray(table.with_format(None)[column][:]) for split, table in tables.items()}
    names = getattr(tables["train"].features[column], "names", None)
    return code_labels(values, names=tuple(names) if names else None)
