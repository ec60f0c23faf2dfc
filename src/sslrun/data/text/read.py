"""Documents from files: .txt, .jsonl, .csv, .tsv, .parquet."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.text import TextConfig, Unit
from sslrun.config.errors import DataError
from sslrun.data.labels import check_filled
from sslrun.data.text.documents import Documents, concatenate

Columns = dict[str, list[Any]]
LONGEST_CELL = 2**31 - 1


def read_documents(path: Path, config: TextConfig) -> Documents:
    """A file, or all files below a folder; class folders of .txt files give labels.

    Raises:
        DataError: nothing to read, an unreadable file, or a missing column.
    """
    if path.is_file():
        return _read_file(path, config, label=None)
    if not path.is_dir():
        raise DataError(f"{path}: no such file or folder")
    files = sorted(p for p in path.rglob("*") if p.suffix.lower() in ENDINGS and not _is_hidden(p, path))
    if not files:
        raise DataError(f"no texts under {path}; expected files of {', '.join(ENDINGS)}")
    folders = {p.relative_to(path).parts[0] for p in files if len(p.relative_to(path).parts) > 1}
    are_classes = len(folders) > 1 and all(p.suffix.lower() == ".txt" for p in files)
    if are_classes and (stray := next((p for p in files if p.parent == path), None)):
        raise DataError(f"{stray} lies beside the class folders {', '.join(sorted(folders)[:3])}; move it into one")
    labels = [p.relative_to(path).parts[0] if are_classes else None for p in files]
    parts = [_read_file(p, config, label=label) for p, label in zip(files, labels, strict=True)]
    return concatenate(parts, where=str(path))


def columns_of(table: Columns, *, config: TextConfig, where: str) -> Documents:
    """The columns `dataset.text` and `dataset.label`.

    Raises:
        DataError: a missing column, a text cell that is not a string, or a row without a label.
    """
    if not table:
        raise DataError(f"{where} holds no rows")
    for key, column in (("text", config.text), ("label", config.label)):
        if column is not None and column not in table:
            remedy = "; dataset.label=null for none" if key == "label" else ""
            raise DataError(
                f"dataset.{key}={column}: no such column in {where}{did_you_mean(column, table)}; it has "
                f"{', '.join(table)}{remedy}"
            )
    texts = ["" if cell is None else cell for cell in table[config.text]]
    wrong = next((cell for cell in texts if not isinstance(cell, str)), None)
    if wrong is not None:
        raise DataError(f"dataset.text={config.text}: {where} holds {type(wrong).__name__} there, not text")
    values = None
    if config.label is not None:
        cells = table[config.label]
        check_filled(cells, column=config.label, where=where)
        values = np.asarray(cells)
    return Documents(texts, [f"{where}[{i}]" for i in range(len(texts))], values)


def _read_file(path: Path, config: TextConfig, *, label: str | None) -> Documents:
    if path.suffix.lower() not in ENDINGS:
        raise DataError(f"{path}: cannot be read as text; expected one of {', '.join(ENDINGS)}")
    try:
        if path.suffix.lower() == ".txt":
            texts = _units(path.read_text(encoding="utf-8"), config.unit)
            values = None if label is None else np.array([label] * len(texts))
            return Documents(texts, [f"{path.name}[{i}]" for i in range(len(texts))], values)
        return columns_of(READERS[path.suffix.lower()](path, config.columns), config=config, where=path.name)
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def _units(text: str, unit: Unit) -> list[str]:
    if unit is Unit.file:
        return [text]
    pieces = text.split("\n\n") if unit is Unit.paragraph else text.split("\n")
    return [piece.strip() for piece in pieces if piece.strip()]


def _read_jsonl(path: Path, columns: list[str] | None) -> Columns:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]
    wrong = next((i for i, row in enumerate(rows) if not isinstance(row, dict)), None)
    if wrong is not None:
        raise ValueError(f"row {wrong} is no JSON object")
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name) for row in rows] for name in names}


def _read_csv(path: Path, columns: list[str] | None) -> Columns:
    csv.field_size_limit(LONGEST_CELL)
    # tab-separated files do not quote fields: a quotation mark belongs to the text
    tabs: dict[str, Any] = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if path.suffix.lower() == ".tsv" else {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, **tabs) if row]
    names = columns or (rows.pop(0) if rows else [])
    wrong = next((i for i, row in enumerate(rows) if len(row) != len(names)), None)
    if wrong is not None:
        raise ValueError(f"row {wrong} has {len(rows[wrong])} columns, not {len(names)} ({', '.join(names)})")
    return {name: [row[i] for row in rows] for i, name in enumerate(names)}


def _read_parquet(path: Path, columns: list[str] | None) -> Columns:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    return {name: table[name].to_pylist() for name in table.column_names}


def _is_hidden(path: Path, root: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(root).parts)


READERS: dict[str, Callable[[Path, list[str] | None], Columns]] = {
    ".jsonl": _read_jsonl,
    ".csv": _read_csv,
    ".tsv": _read_csv,
    ".parquet": _read_parquet,
}
ENDINGS = (".txt", *READERS)
