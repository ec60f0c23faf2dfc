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
    """What one document of a .txt file is."""

    file = "file"
    paragraph = "paragraph"
    line = "line"


@dataclass(kw_only=True)
class TextDatasetConfig(DatasetConfig):
    """What all text datasets share.

    Attributes:
        tokenizer: `wordpiece` (lower case), `bpe` (bytes) or `char`, trained on the train split; or a tokenizer.json,
            or a folder with one.
        vocab_size: tokens of a trained one; `char` has as many as there are characters.
        max_length: most tokens of a text or block that the encoder sees, marks included.
        max_corrupt: largest share of empty texts; beyond it the run stops.
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
    """What datasets of texts that are not held in memory share.

    Attributes:
        tokenizer_texts: most texts of train that a tokenizer is trained on, spread evenly over it.
    """

    tokenizer_texts: int = limited(100_000, at_least=1)


@register(target="sslrun.data.text.hub:HubTexts", paper="datasets.load_dataset", modality="text")
@dataclass(kw_only=True)
class HuggingFaceTextConfig(NamedSplitsConfig, StreamedTextConfig):
    """Anything that `datasets` loads, read out of its mapped files and tokenized when it is asked for.

    Attributes:
        path: a local folder, also one of `save_to_disk`, or a hub name.
        subset: the hub dataset's configuration.
        train, val, test: names of splits; one that is absent is cut off train.
        text, label: names of columns; label null means unlabelled.
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
    """Files of text, tables with a column of text, or anything that `datasets` loads.

    Attributes:
        path: a file, a folder, or a hub name; a folder may hold train, val and test as folders or files, class folders
            of .txt, or only files.
        train, val, test: instead of `path`: a file or folder each; of a hub name, its splits.
        text, label: names of columns; label null means unlabelled. Of .txt files the class is the folder.
        columns: names of the columns of .csv or .tsv files that have no first line with names.
        unit: what one document of a .txt file is.
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
    """Docstrings of Python's standard library, by family of module; they differ between Python versions."""

    kind: str = "pydocs"
