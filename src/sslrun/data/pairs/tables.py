"""Tables of images and captions: parquet files that contain the images, or text files that name image files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.pairs import PairsConfig
from sslrun.config.errors import DataError
from sslrun.data.folders import cache_folder
from sslrun.data.text.read import READERS
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.folder import FolderSource
from sslrun.data.vision.parquet import ParquetSource, check_image_column, parquet_files
from sslrun.data.vision.source import Source

ENDINGS = (".parquet", ".csv", ".tsv", ".jsonl", ".json")


@dataclass(frozen=True)
class Table:
    """Images with their captions and further columns.

    Attributes:
        captions: of each image.
        columns: one value per image, by name: those that `label`, `together` and `test_column` name.
    """

    images: Source
    captions: list[tuple[str, ...]]
    columns: dict[str, list[Any]]

    def __len__(self) -> int:
        return len(self.captions)


def read_table(path: Path, config: PairsConfig, decoder: Decoder, *, split: str) -> Table:
    """One table, or a folder or pattern of parquet files.

    Raises:
        DataError: a missing file, column or image file, or a caption that is not text.
    """
    needed = [config.caption, *filter(None, (config.label, config.together, config.test_column))]
    if path.suffix.lower() in ENDINGS[1:]:
        return _of_files(path, config, decoder, needed)
    files = parquet_files(split, str(path))
    columns: dict[str, list[Any]] = {name: [] for name in needed}
    for file in files:
        names = check_image_column(file, config.image)
        _check(needed, names, config, where=str(file))
        read = pq.read_table(file, columns=list(columns))
        for name, cells in columns.items():
            cells += read.column(name).to_pylist()
    images = ParquetSource(
        files, column=config.image, labels=None, decoder=decoder, scratch=cache_folder(config.cache_dir)
    )
    captions = [_texts(cell, config, where=images.name(i)) for i, cell in enumerate(columns[config.caption])]
    return Table(images, captions, columns)


def _of_files(path: Path, config: PairsConfig, decoder: Decoder, needed: Sequence[str]) -> Table:
    """A table whose rows name image files; rows with the same file are captions of one image."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        rows = coco(path, config) if path.suffix.lower() == ".json" else READERS[path.suffix.lower()](path, None)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    _check([config.image, *needed], list(rows), config, where=str(path))
    root = Path(config.images).expanduser() if config.images else path.parent
    captions: dict[str, list[str]] = {}
    first: dict[str, int] = {}
    for i, (file, cell) in enumerate(zip(rows[config.image], rows[config.caption], strict=True)):
        captions.setdefault(str(file), []).extend(_texts(cell, config, where=f"{path.name}[{i}]"))
        first.setdefault(str(file), i)
    absent = next((file for file in captions if not (root / file).is_file()), None)
    if absent is not None:
        raise DataError(
            f"{path.name}[{first[absent]}]: no image {root / absent}; dataset.images=… says where the images lie"
        )
    scratch = cache_folder(config.cache_dir)
    images = FolderSource(root, list(captions), classes=None, decoder=decoder, scratch=scratch)
    columns = {name: [cells[i] for i in first.values()] for name, cells in rows.items()}
    return Table(images, [tuple(texts) for texts in captions.values()], columns)


def coco(path: Path, config: PairsConfig) -> dict[str, list[Any]]:
    """Columns of a .json file: a list of objects, or COCO's `images` and `annotations`."""
    content = json.loads(path.read_text(encoding="utf-8"))
    if isinstance(content, dict):
        files = {image["id"]: image["file_name"] for image in content["images"]}
        content = [
            {config.image: files[note["image_id"]], config.caption: note["caption"]} for note in content["annotations"]
        ]
    names = list(dict.fromkeys(name for row in content for name in row))
    return {name: [row.get(name) for row in content] for name in names}


def _check(needed: Sequence[str], names: Sequence[str], config: PairsConfig, *, where: str) -> None:
    keys = {getattr(config, key): key for key in ("test_column", "together", "label", "caption", "image")}
    for column in needed:
        if column not in names:
            raise DataError(
                f"dataset.{keys[column]}={column}: no such column in {where}{did_you_mean(column, names)}; it has "
                f"{', '.join(names)}"
            )


def _texts(cell: Any, config: PairsConfig, *, where: str) -> tuple[str, ...]:
    """A cell's captions; empty if it is null."""
    texts = tuple(cell) if isinstance(cell, list | tuple) else () if cell is None else (cell,)
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise DataError(f"dataset.caption={config.caption}: {where} holds {type(wrong).__name__} there, not text")
    return texts
