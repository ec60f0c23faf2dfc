"""Configurations of the text datasets."""

from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ClassVar

from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register
from sslrun.config.schema import DatasetConfig


class Unit(Enum):
    """Unit of a .txt file that is one document."""

    file = "file"
    paragraph = "paragraph"
    line = "line"


@dataclass(kw_only=True)
class TextDatasetConfig(DatasetConfig):
    """Keys of all text datasets.

    Attributes:
        tokenizer: `wordpiece` (lower case), `bpe` (bytes) or `char`, trained on the train split; or a tokenizer.json,
            or a folder with one.
        vocab_size: of a trained tokenizer; `char` has one token per character.
        max_length: maximum tokens per text or block, special tokens included.
        max_corrupt: maximum share of empty texts, above which the run stops.
        cache_dir: for tokenizers; null means ~/.cache/sslrun, or $SSLRUN_CACHE.
    """

    gives: ClassVar[tuple[str, ...]] = ("tokens", "blocks of tokens")

    tokenizer: str = "wordpiece"
    vocab_size: int = limited(8192, at_least=16)
    max_length: int = limited(128, at_least=4)
    max_corrupt: float = limited(0.01, at_least=0, at_most=1)
    cache_dir: str | None = None


@dataclass(kw_only=True)
class StreamedTextConfig(TextDatasetConfig):
    """Keys of text datasets that are not held in memory.

    Attributes:
        tokenizer_texts: maximum training texts for training a tokenizer, evenly spaced over train.
    """

    tokenizer_texts: int = limited(100_000, at_least=1)


@register(target="sslrun.data.text.hub:HubTexts", paper="datasets.load_dataset", modality="text")
@dataclass(kw_only=True)
class HuggingFaceTextConfig(NamedSplitsConfig, StreamedTextConfig):
    """Any dataset of the library `datasets`, read from memory-mapped files and tokenized on access.

    Attributes:
        path: a local folder, also one of `save_to_disk`, or a hub name.
        subset: the hub dataset's configuration.
        train, val, test: names of splits; an absent one is split off train.
        text, label: columns; label null means unlabelled.
        options: further arguments of `datasets.load_dataset`.
    """

    kind: str = "hf_text"
    path: str | None = None
    subset: str | None = None
    train: str = "train"
    val: str | None = "validation"
    test: str | None = "test"
    text: str = "text"
    label: str | None = "label"
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.path:
            raise ConfigError("dataset.path is not set; name a folder or a hub dataset, e.g. dataset.path=/data/saved")


@register(target="sslrun.data.text.files:Texts", paper="own texts", modality="text")
@dataclass(kw_only=True)
class TextConfig(NamedSplitsConfig, TextDatasetConfig):
    """Text files, tables with a text column, or any dataset of the library `datasets`.

    Attributes:
        path: a file, a folder, or a hub name; a folder may contain train, val and test as folders or files, class
            folders of .txt, or only files.
        train, val, test: a file or folder per split, instead of `path`; with a hub name, its splits.
        text, label: columns; label null means unlabelled. The class of a .txt file is its folder.
        columns: column names of .csv or .tsv files without a header line.
        unit: unit of a .txt file that is one document.
        subset: the hub dataset's configuration.
        options: further arguments of `datasets.load_dataset`.
    """

    kind: str = "text"
    path: str | None = None
    text: str = "text"
    label: str | None = "label"
    columns: list[str] | None = None
    unit: Unit = Unit.file
    subset: str | None = None
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where the text is: dataset.path=/data/texts, or dataset.train=… and "
                "dataset.test=…"
            )


@register(target="sslrun.data.text.pydocs:PyDocs", paper="Python's library", modality="text")
@dataclass(kw_only=True)
class PyDocsConfig(TextDatasetConfig):
    """Docstrings of Python's standard library, labelled by module family; they differ between Python versions."""

    kind: str = "pydocs"
