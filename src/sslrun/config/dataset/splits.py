"""Splits of a dataset, and the keys that name them."""

from dataclasses import dataclass

from sslrun.config.schema import DatasetConfig

SPLIT_KEYS = {"train": "train", "validation": "val", "test": "test"}
"""The configuration's key of each split."""
SPLITS = tuple(SPLIT_KEYS)


@dataclass(kw_only=True)
class NamedSplitsConfig(DatasetConfig):
    """Base of datasets whose splits can be named one by one.

    Attributes:
        train, val, test: where each split is; the kind says what they name.
    """

    train: str | None = None
    val: str | None = None
    test: str | None = None

    @property
    def named_splits(self) -> dict[str, str | None]:
        """What `train`, `val` and `test` name, by split."""
        return {split: getattr(self, key) for split, key in SPLIT_KEYS.items()}
