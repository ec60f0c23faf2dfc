"""Splits and classes of a dataset in shards."""

from pathlib import Path

import numpy as np

from sslrun.config.dataset.splits import SPLIT_KEYS
from sslrun.config.dataset.webdataset import ShardsConfig
from sslrun.data.folders import cache_folder
from sslrun.data.labels import ClassesAndLabels, code_labels
from sslrun.data.shards.index import Members, Shards
from sslrun.data.shards.patterns import shard_files
from sslrun.data.shards.texts import one_each


def open_shards(config: ShardsConfig, *, cache_dir: str | None) -> dict[str, Shards]:
    """The shards of each named split; DataError if files are missing or broken."""
    folder = _folder(cache_dir)
    return {
        split: Shards(shard_files(f"dataset.{SPLIT_KEYS[split]}", pattern), folder=folder)
        for split, pattern in config.named_splits.items()
        if pattern
    }


def shard_labels(shards: dict[str, Shards], config: ShardsConfig, *, cache_dir: str | None) -> ClassesAndLabels:
    """Classes and the labels of each split, from the members that `dataset.label` names."""
    return code_labels(
        {n: member_texts(s, config.label, key="dataset.label", cache_dir=cache_dir) for n, s in shards.items()}
    )


def member_texts(shards: Shards, wanted: str | None, *, key: str, cache_dir: str | None) -> np.ndarray | None:
    """(N,) values of all samples, such as labels, converted by `as_values`; None if `wanted` is."""
    if wanted is None:
        return None
    return as_values(one_each(Members(shards, [wanted], key=key), folder=_folder(cache_dir)))


def as_values(texts: list[str]) -> np.ndarray:
    """(N,) integers if all texts are, so that class 10 sorts after 2; otherwise strings."""
    numbers = all(text.lstrip("-").isdigit() for text in texts)
    return np.array([int(t) for t in texts]) if numbers else np.array(texts)


def _folder(cache_dir: str | None) -> Path:
    return cache_folder(cache_dir) / "shards"
