"""Parquet files with a column of encoded images, in Hugging Face's format."""

import glob
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sslrun.config.checks import did_you_mean
from sslrun.config.dataset.splits import SPLIT_KEYS
from sslrun.config.dataset.vision import ParquetConfig
from sslrun.config.errors import DataError
from sslrun.core.atomic import make_once
from sslrun.data.content import content_digest
from sslrun.data.folders import cache_folder
from sslrun.data.labels import ClassesAndLabels, check_filled, code_labels, digest
from sslrun.data.vision.decode import Decoder
from sslrun.data.vision.images import ImageData, decoder_of

IN_MEMORY_BYTES = 500_000_000
"""Files up to this total size are held in memory; larger ones are copied once into a memory-mapped Arrow file."""


class Parquet(ImageData):
    """Train, and validation and test if their files are named."""

    def __init__(self, config: ParquetConfig) -> None:
        files = {split: parquet_files(split, pattern) for split, pattern in config.named_splits.items() if pattern}
        _check_distinct(files)
        for path in (path for paths in files.values() for path in paths):
            _check_label_column(path, config.label, check_image_column(path, config.image))
        classes, labels = _labels(files, config.label)
        decoder, scratch = decoder_of(config), cache_folder(config.cache_dir)
        sources = {
            split: ParquetSource(paths, column=config.image, labels=labels[split], decoder=decoder, scratch=scratch)
            for split, paths in files.items()
        }
        super().__init__(config, sources, classes=classes)


class ParquetSource:
    """Rows of several files as one source; the image column is read on first access.

    Args:
        column: a struct with `bytes`, or binary.
        scratch: folder of the mapped Arrow file.
    """

    embedded = False

    def __init__(
        self, files: list[Path], *, column: str, labels: np.ndarray | None, decoder: Decoder, scratch: Path
    ) -> None:
        self.labels = labels
        self._files, self._column, self._decoder, self._scratch = files, column, decoder, scratch
        metadata = [pq.read_metadata(f) for f in files]
        self._ends = np.cumsum([m.num_rows for m in metadata])
        self._bytes = sum(f.stat().st_size for f in files)
        self.fingerprint = digest(*(content_digest(f.parent, [f.name], folder=scratch) for f in files), column)
        self._encoded: pa.ChunkedArray | None = None

    def __len__(self) -> int:
        return int(self._ends[-1])

    def read(self, position: int) -> np.ndarray:
        if self._encoded is None:
            self._encoded = self._open()
        data = self._encoded[position].as_py()
        if data is None:
            raise DataError(f"{self.name(position)}: no image bytes in this row")
        return self._decoder(data, name=self.name(position))

    def name(self, position: int) -> str:
        file = int(np.searchsorted(self._ends, position, side="right"))
        start = 0 if file == 0 else int(self._ends[file - 1])
        path = self._files[file]  # with its folder: the hub has train/0000.parquet and test/0000.parquet
        return f"{path.parent.name}/{path.name}:{position - start}"

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_encoded": None}

    def _open(self) -> pa.ChunkedArray:
        """(N,) large_binary."""
        if self._bytes <= IN_MEMORY_BYTES:
            return pa.chunked_array([part for f in self._files for part in _binary_parts(f, self._column)])
        path = self._scratch / f"{self.fingerprint}.arrow"
        make_once(self._copy, path)
        return pa.ipc.open_file(pa.memory_map(str(path))).read_all().column("bytes")

    def _copy(self, path: Path) -> None:
        schema = pa.schema([("bytes", pa.large_binary())])
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for file in self._files:
                for part in _binary_parts(file, self._column):
                    writer.write_batch(pa.record_batch([part], schema=schema))


def _binary_parts(file: Path, column: str) -> "list[pa.Array] | Any":
    """The image column of one file as large_binary arrays, one row group at a time."""
    with pq.ParquetFile(file) as reader:
        for group in range(reader.num_row_groups):
            for chunk in reader.read_row_group(group, columns=[column]).column(column).chunks:
                values = chunk.field("bytes") if pa.types.is_struct(chunk.type) else chunk
                yield values.cast(pa.large_binary())


def parquet_files(split: str, pattern: str) -> list[Path]:
    """A file, all parquet files below a folder, or those that match a pattern, sorted.

    Raises:
        DataError: there are none.
    """
    path = Path(pattern).expanduser()
    if path.is_dir():
        files = sorted(path.glob("**/*.parquet"))
    elif path.is_file():
        files = [path]
    else:
        files = [Path(f) for f in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207  may be absolute
    if not files:
        raise DataError(f"dataset.{SPLIT_KEYS[split]}={pattern}: no parquet file there")
    return files


def _check_distinct(files: dict[str, list[Path]]) -> None:
    """DataError if two splits share a file: training data would be tested on."""
    owner: dict[Path, str] = {}
    for split, paths in files.items():
        for path in paths:
            other = owner.setdefault(path.resolve(), split)
            if other != split:
                keys = f"dataset.{SPLIT_KEYS[other]} and dataset.{SPLIT_KEYS[split]}"
                raise DataError(f"{keys} both hold {path}; name files that no other split has")


def check_image_column(file: Path, column: str) -> list[str]:
    """Check that a parquet file has an image column of bytes; returns the names of all columns.

    Raises:
        DataError: it is not a parquet file, or has no such column.
    """
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{file} is no parquet file: {str(error).splitlines()[0]}") from error
    names: list[str] = schema.names
    if column not in names:
        raise DataError(
            f"dataset.image={column}: no such column in {file}{did_you_mean(column, names)}; it has {', '.join(names)}"
        )
    kind = schema.field(column).type
    held = kind.field("bytes").type if pa.types.is_struct(kind) and kind.get_field_index("bytes") >= 0 else kind
    if not (pa.types.is_binary(held) or pa.types.is_large_binary(held)):
        raise DataError(f"dataset.image={column}: column of {file} holds {kind}; expected bytes")
    return names


def _check_label_column(file: Path, column: str | None, names: list[str]) -> None:
    if column is not None and column not in names:
        raise DataError(
            f"dataset.label={column}: no such column in {file}{did_you_mean(column, names)}; "
            f"it has {', '.join(names)}; dataset.label=null for none"
        )


def _labels(files: dict[str, list[Path]], column: str | None) -> ClassesAndLabels:
    if column is None:
        return None, dict.fromkeys(files)
    values = {split: _label_column(paths, column) for split, paths in files.items()}
    return code_labels(values, names=_class_names(files["train"][0], column))


def _label_column(files: list[Path], column: str) -> np.ndarray:
    """(N,) numbers or strings."""
    parts = []
    for file in files:
        values = pq.read_table(file, columns=[column]).column(column)
        if pa.types.is_nested(values.type):
            raise DataError(f"dataset.label={column}: column of {file} holds {values.type}; expected one label a row")
        check_filled(values.to_pylist(), column=column, where=str(file))
        parts.append(values.to_numpy())
    return np.concatenate(parts)


def _class_names(file: Path, column: str) -> tuple[str, ...] | None:
    """Names of a ClassLabel feature, from the schema's Hugging Face metadata."""
    metadata = pq.read_schema(file).metadata or {}
    if b"huggingface" not in metadata:
        return None
    features = json.loads(metadata[b"huggingface"]).get("info", {}).get("features", {})
    names = features.get(column, {}).get("names")
    return tuple(names) if names else None
