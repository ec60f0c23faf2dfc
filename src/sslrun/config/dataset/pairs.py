"""Configurations of the datasets of images with captions."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

from sslrun.config.checks import check_one_place
from sslrun.config.dataset.splits import NamedSplitsConfig
from sslrun.config.dataset.vision import ImageDatasetConfig
from sslrun.config.errors import ConfigError
from sslrun.config.node import limited
from sslrun.config.registry import register


@dataclass(kw_only=True)
class PairDatasetConfig(ImageDatasetConfig):
    """What all datasets of images with captions share.

    Attributes:
        tokenizer: `wordpiece` (lower case), `bpe` (bytes) or `char`, trained on the captions of the train split; or a
            tokenizer.json, or a folder with one.
        vocab_size: tokens of a trained one.
        max_length: most tokens of a caption that the encoder sees, marks included.
    """

    gives: ClassVar[tuple[str, ...]] = ("image-text pairs", "views", "images")

    tokenizer: str = "wordpiece"
    vocab_size: int = limited(8192, at_least=16)
    max_length: int = limited(32, at_least=4)


@register(target="sslrun.data.pairs.digits:DigitSentences", paper="scikit-learn; sentences made here", modality="pair")
@dataclass(kw_only=True)
class DigitSentencesConfig(PairDatasetConfig):
    """scikit-learn's 1,797 handwritten digits of 8x8 with made sentences; nothing to download."""

    kind: str = "digit_sentences"


@register(target="sslrun.data.pairs.files:Pairs", paper="own pictures", modality="pair")
@dataclass(kw_only=True)
class PairsConfig(NamedSplitsConfig, PairDatasetConfig):
    """Parquet files with a column of image bytes, or tables (.csv, .tsv, .jsonl, .json) that name image files.

    Attributes:
        path: a table, or a folder that holds train, val and test as tables, or one table.
        train, val, test: instead of `path`: a table each.
        image, caption: names of columns; a caption is a text or a list of texts, and rows of the same file are one
            image with several captions.
        label: column of classes, for probes; null for none.
        images: folder of the files that a table names; null takes the table's own.
        together: column whose equal values stay in one split where splits are cut, e.g. a product or a name.
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
        check_one_place(self.path, train=self.train, val=self.val, test=self.test)
        if not (self.path or self.train):
            raise ConfigError(
                "dataset.path is not set; say where images and captions are: dataset.path=/data/captions.csv, or "
                "dataset.train=… and dataset.test=…"
            )
        if bool(self.test_column) != bool(self.test_values):
            raise ConfigError("dataset.test_column and dataset.test_values go together; one of them is not set")
