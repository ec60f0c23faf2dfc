"""Images loaded by the library `datasets`, from a local folder or the hub."""

from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.dataset.vision import HuggingFaceConfig
from sslrun.config.errors import DataError
from sslrun.data.hub import check_columns, load_tables, split_names, table_labels
from sslrun.data.labels import digest
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.images import ImageData, decoder_of


class HuggingFace(ImageData):
    """Train, and validation and test if the dataset has splits of those names."""

    def __init__(self, config: HuggingFaceConfig) -> None:
        path = str(config.path)
        loaded = load_tables("hf", path, subset=config.subset, options=config.options, train=config.train)
        wanted = split_names(config, loaded)
        tables = {split: loaded[name] for split, name in wanted.items() if name in loaded}
        for table in tables.values():
            check_columns(table, {"image": config.image, "label": config.label}, path=path)
        classes, labels = table_labels(tables, config.label)
        decoder = decoder_of(config)
        sources = {
            split: HubSource(
                table, column=config.image, labels=labels[split], decoder=decoder, name=wanted[split] or ""
            )
            for split, table in tables.items()
        }
        super().__init__(config, sources, classes=classes)


class HubSource:
    """Rows of one split, read from memory-mapped Arrow files."""

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
