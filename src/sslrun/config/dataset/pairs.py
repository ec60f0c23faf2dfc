"""Configurations of the image-caption datasets."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from sslrun.config.checks import check_path_or_splits
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.dataset.vision import ImageDatasetConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register


@dataclass(kw_only=True)
class PairDatasetConfig(ImageDatasetConfig):
    """Keys of all image-caption datasets.

    Attributes:
        tokenizer: `wordpiece` (lower case), `bpe` (bytes) or `char`, trained on the training captions; or a
            tokenizer.json, or a folder with one.
        vocab_size: of a trained tokenizer.
        max_length: maximum tokens per caption, special tokens included.
    """

    gives: ClassVar[tuple[str, ...]] = ("image-text pairs", "views", "images")

    tokenizer: str = "wordpiece"
    vocab_size: int = limited(8192, at_least=16)
    max_length: int = limited(32, at_least=4)


@register(target="sslrun.data.pairs.digits:DigitSentences", paper="scikit-learn; sentences made here", modality="pair")
@dataclass(kw_only=True)
class DigitSentencesConfig(PairDatasetConfig):
    """scikit-learn's 1,797 handwritten digits of 8x8 px with generated captions; nothing to download."""

    kind: str = "digit_sentences"


@register(target="sslrun.data.pairs.files:Pairs", paper="own images", modality="pair")
@dataclass(kw_only=True)
class PairsConfig(NamedSplitsConfig, PairDatasetConfig):
    """Parquet files with a column of image bytes, or tables (.csv, .tsv, .jsonl, .json) that name image files.

    Attributes:
        path: a table, or a folder with the tables train, val and test, or with one table.
        train, val, test: a table per split, instead of `path`.
        image, caption: columns; a caption is a text or a list of texts, and rows with the same file are one image with
            several captions.
        label: column of classes, for probes; null for none.
        images: folder of the image files; null takes the table's folder.
        together: column whose equal values stay in one split when splits are cut, e.g. a product or a name.
        test_column, test_values: rows with one of these values in this column are the test split, the others train.
    """

    kind: str = "pairs"
    path: str | None = None
    image: str = "image"
    caption: str = "caption"
    label: str | None = None
    images: str | None = None
    together: str | None = None
    test_column: str | None = None
    test_values: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_path_or_splits(self.path, train=self.train, val=self.val, test=self.test)
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where images and captions are: dataset.path=/data/captions.csv, or "
                "dataset.train=… and dataset.test=…"
            )
        if bool(self.test_column) != bool(self.test_values):
            raise ConfigError("dataset.test_column and dataset.test_values go together; one of them is not set")
