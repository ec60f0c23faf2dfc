"""Splits of a dataset, and the keys that name them."""

from dataclasses import dataclass

from sslrun.config.schema import DatasetConfig

SPLIT_KEYS = {"train": "train", "validation": "val", "test": "test"}
"""Configuration key of each split."""
SPLITS = tuple(SPLIT_KEYS)


@dataclass(kw_only=True)
class NamedSplitsConfig(DatasetConfig):
    """Base of datasets whose splits can be named separately.

    Attributes:
        train, val, test: location or name of each split; the meaning depends on the kind.
    """

    train: str | None = None
    val: str | None = None
    test: str | None = None

    @property
    def named_splits(self) -> dict[str, str | None]:
        """Split -> value of `train`, `val` or `test`."""
        return {split: getattr(self, key) for split, key in SPLIT_KEYS.items()}
