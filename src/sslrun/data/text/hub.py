"""Texts loaded by the library `datasets`, read from memory-mapped Arrow files."""

from typing import Any

from sslrun.config.dataset.text import HuggingFaceTextConfig
from sslrun.config.errors import DataError
from sslrun.data.hub import check_columns, load_tables, split_names, table_labels
from sslrun.data.labels import digest
from sslrun.data.text.streamed_texts import LazyTexts, StreamedTexts


class HubTexts(StreamedTexts):
    """Train, and validation and test if the dataset has splits of those names."""

    def __init__(self, config: HuggingFaceTextConfig) -> None:
        path = str(config.path)
        loaded = load_tables("hf_text", path, subset=config.subset, options=config.options, train=config.train)
        wanted = split_names(config, loaded)
        tables = {split: loaded[name] for split, name in wanted.items() if name in loaded}
        for table in tables.values():
            check_columns(table, {"text": config.text, "label": config.label}, path=path)
        texts = {
            split: TableTexts(table.select_columns([config.text]), f"{path}:{wanted[split]}")
            for split, table in tables.items()
        }
        keys = {split: digest(table._fingerprint, len(table), config.text) for split, table in tables.items()}
        super().__init__(config, texts, table_labels(tables, config.label), keys)


class TableTexts(LazyTexts):
    """One column of a table."""

    def __init__(self, rows: Any, name: str) -> None:
        super().__init__(rows)
        self._name = name

    def read(self, position: int) -> str:
        (cell,) = self.rows[position].values()
        if not isinstance(cell, str):
            raise DataError(f"{self._name}:{position} holds {type(cell).__name__}, not text")
        return cell
